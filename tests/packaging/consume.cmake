# SPDX-License-Identifier: MIT
#
# Builds and runs tests/packaging/consumer, which takes pagefold from SOURCE or, for find_package, from an installation
# of BUILD that has been moved since: an installed package must not remember where it was put.
cmake_minimum_required(VERSION 3.22)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
if(WAY STREQUAL "find_package")
  run(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${SCRATCH}/installed")
  file(RENAME "${SCRATCH}/installed" "${SCRATCH}/moved")
endif()
run(${CMAKE_COMMAND} -S "${SOURCE}/tests/packaging/consumer" -B "${SCRATCH}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${SCRATCH}/moved" "-DPAGEFOLD_WAY=${WAY}"
    "-DPAGEFOLD_SOURCE=${SOURCE}" "-DPAGEFOLD_VERSION=${VERSION}")
run(${CMAKE_COMMAND} --build "${SCRATCH}/build")
run(${CMAKE_CTEST_COMMAND} --test-dir "${SCRATCH}/build" --no-tests=error --output-on-failure)
