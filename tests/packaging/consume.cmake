# SPDX-License-Identifier: MIT
#
# Builds and runs tests/packaging/consumer, which takes pagefold from SOURCE or, for find_package, from an installation
# of BUILD that has been moved since: an installed package must not remember where it was put.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${SCRATCH}")
if(WAY STREQUAL "find_package")
  run(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${SCRATCH}/installed" --component pagefold)
  file(RENAME "${SCRATCH}/installed" "${SCRATCH}/moved")
endif()
run(${CMAKE_COMMAND} -S "${SOURCE}/tests/packaging/consumer" -B "${SCRATCH}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${SCRATCH}/moved" "-DPAGEFOLD_WAY=${WAY}"
    "-DPAGEFOLD_SOURCE=${SOURCE}" "-DPAGEFOLD_VERSION=${VERSION}" "-DPAGEFOLD_CODECS=lz4;zstd")
run(${CMAKE_COMMAND} --build "${SCRATCH}/build")
run(${CMAKE_CTEST_COMMAND} --test-dir "${SCRATCH}/build" --no-tests=error --output-on-failure)
