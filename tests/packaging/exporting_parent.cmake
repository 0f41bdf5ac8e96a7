# SPDX-License-Identifier: MIT
#
# A project that contains pagefold and exports a target that links it can be configured, whether pagefold takes part in
# its installation or not; what it exports can be used, from its installation and from its build folder.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}/user")
file(COPY_FILE "${CMAKE_CURRENT_LIST_DIR}/parent/user.cmake" "${SCRATCH}/user/CMakeLists.txt")
foreach(options IN ITEMS "" -DPAGEFOLD_INSTALL=ON -DPARENT_LEAVES_OUT=ON)
  set(build "${SCRATCH}/parent${options}")
  run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/parent" -B "${build}" -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DPAGEFOLD_SOURCE=${SOURCE}" -DCMAKE_INSTALL_DATADIR=share ${options})
  run(${CMAKE_COMMAND} --install "${build}" --prefix "${SCRATCH}/installed${options}")
  set(header "${SCRATCH}/installed${options}/include/pagefold/pagefold.hpp")
  if(options MATCHES "INSTALL" AND NOT EXISTS "${header}")
    message(FATAL_ERROR "PAGEFOLD_INSTALL is ON and nothing is installed")
  elseif(NOT options MATCHES "INSTALL" AND EXISTS "${header}")
    message(FATAL_ERROR "The parent installs pagefold without having been asked")
  endif()
endforeach()

# pagefold comes from the same installation, then from the component alone, then from the parent's build folder.
run(${CMAKE_COMMAND} --install "${SCRATCH}/parent" --prefix "${SCRATCH}/component" --component pagefold)
set(from_installation "-DPARENT_TARGETS=${SCRATCH}/installed-DPAGEFOLD_INSTALL=ON/share/parent/parent-targets.cmake"
                      "-DCMAKE_PREFIX_PATH=${SCRATCH}/installed-DPAGEFOLD_INSTALL=ON")
set(from_component "-DPARENT_TARGETS=${SCRATCH}/installed/share/parent/parent-targets.cmake"
                   "-DCMAKE_PREFIX_PATH=${SCRATCH}/component")
set(from_build "-DPARENT_TARGETS=${SCRATCH}/parent/parent-targets.cmake"
               "-Dpagefold_DIR=${SCRATCH}/parent/pagefold/package")
foreach(from IN ITEMS installation component build)
  run(${CMAKE_COMMAND} -S "${SCRATCH}/user" -B "${SCRATCH}/user_of_${from}" -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${COMPILER}" ${from_${from}})
  run(${CMAKE_COMMAND} --build "${SCRATCH}/user_of_${from}")
endforeach()
