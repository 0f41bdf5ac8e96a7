# SPDX-License-Identifier: MIT
#
# Runs our vcpkg port, without features and with those whose libraries the system has, and uses what it packages.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/vcpkg_helpers.cmake")

file(REMOVE_RECURSE "${SCRATCH}")
set(PORT pagefold)
set(PORT_DIR "${SOURCE}/cmake/vcpkg/ports/${PORT}")
file(READ "${PORT_DIR}/vcpkg.json" manifest)
string(JSON name GET "${manifest}" name)
string(JSON version GET "${manifest}" version-semver)
if(NOT "${name} ${version}" STREQUAL "${PORT} ${VERSION}")
  message(FATAL_ERROR "vcpkg.json says ${name} ${version}; this is ${PORT} ${VERSION}")
endif()
string(JSON defaults ERROR_VARIABLE no_defaults GET "${manifest}" default-features)
if(NOT no_defaults)
  message(FATAL_ERROR "A feature is on by default: ${defaults}")
endif()

# A macro, so that the port finds CMAKE_CURRENT_LIST_DIR and the rest as vcpkg sets them.
macro(package root)
  set(CURRENT_PACKAGES_DIR "${root}/packages")
  set(CURRENT_BUILDTREES_DIR "${root}/buildtrees")
  include("${PORT_DIR}/portfile.cmake")
  vcpkg_objections(wrong)
  if(wrong)
    list(JOIN wrong "\n  " wrong)
    message(FATAL_ERROR "The port with [${FEATURES}] is wrong:\n  ${wrong}")
  endif()
endmacro()

set(ask ${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/asker" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}")
set(FEATURES core)
package("${SCRATCH}/core")
run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/located" -B "${SCRATCH}/located" -G "${GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${SCRATCH}/core/packages" "-DPAGEFOLD_EXPECTED=${SCRATCH}/core/packages")
refused("lz4: this installation is without it" ${ask} -B "${SCRATCH}/ask" -DCODEC=lz4
        "-DCMAKE_PREFIX_PATH=${SCRATCH}/core/packages")

foreach(fact IN ITEMS lz4.lz4.h lzo.lzo/lzo1x.h zstd.zstd.h)
  string(REGEX MATCH "^([a-z0-9]+)\\.(.*)$" fact "${fact}")
  set(codec ${CMAKE_MATCH_1})
  file(WRITE "${SCRATCH}/probe.cpp" "#include <${CMAKE_MATCH_2}>\n")
  execute_process(COMMAND ${COMPILER} -E "${SCRATCH}/probe.cpp" RESULT_VARIABLE absent OUTPUT_QUIET ERROR_QUIET)
  if(absent)
    message(STATUS "not tested: ${codec}, which is not installed here")
  else()
    list(APPEND FEATURES ${codec})
  endif()
endforeach()
package("${SCRATCH}/full")
list(REMOVE_ITEM FEATURES core)
run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${SCRATCH}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${SCRATCH}/full/packages" -DPAGEFOLD_WAY=vcpkg
    "-DPAGEFOLD_CODECS=${FEATURES}")
run(${CMAKE_COMMAND} --build "${SCRATCH}/build")
run(${CMAKE_CTEST_COMMAND} --test-dir "${SCRATCH}/build" --no-tests=error --output-on-failure)
