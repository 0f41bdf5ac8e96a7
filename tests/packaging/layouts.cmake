# SPDX-License-Identifier: MIT
#
# Whatever CMAKE_INSTALL_* says, an installation is found, and still after it has been moved where no folder is absolute.
# A build folder is not an installation, and is found by who names it alone.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${SCRATCH}")
set(locate ${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/located" -G "${GENERATOR}"
           -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)

# layout NAME [-D...]: package_dir is where the layout has the package's files.
function(layout name package_dir)
  set(here "${SCRATCH}/${name}")
  run(${configure} -B "${here}/build" "-DCMAKE_INSTALL_PREFIX=${here}/prefix" ${ARGN})
  run(${CMAKE_COMMAND} --install "${here}/build")
  # The build folder, by mistake: no way that CMAKE_PREFIX_PATH is searched leads there.
  if(name STREQUAL "usual")
    refused("pagefold" ${locate} -B "${here}/mistaken" "-DCMAKE_PREFIX_PATH=${here}/build;${here}")
    run(${locate} -B "${here}/meant" "-Dpagefold_DIR=${here}/build/package" "-DPAGEFOLD_EXPECTED=${SOURCE}/include")
  endif()
  if(ARGN MATCHES "=${SCRATCH}") # absolute: stays
    run(${locate} -B "${here}/located" "-Dpagefold_DIR=${package_dir}" "-DPAGEFOLD_EXPECTED=${here}")
    return()
  endif()
  file(RENAME "${here}/prefix" "${here}/moved")
  file(REMOVE_RECURSE "${here}/build")
  run(${locate} -B "${here}/located" "-Dpagefold_DIR=${here}/moved/${package_dir}" "-DPAGEFOLD_EXPECTED=${here}/moved")
  file(GLOB_RECURSE installed "${here}/moved/*")
  foreach(file IN LISTS installed)
    file(STRINGS "${file}" lines REGEX "${SCRATCH}|${SOURCE}")
    if(lines)
      message(FATAL_ERROR "${file} names a folder of the machine that it was made on: ${lines}")
    endif()
  endforeach()
endfunction()

layout(usual share/cmake/pagefold)
layout(versioned share/cmake/pagefold "-DCMAKE_INSTALL_INCLUDEDIR=include/pagefold-${VERSION}")
layout(deep usr/lib/any/data/cmake/pagefold -DCMAKE_INSTALL_DATADIR=usr/lib/any/data
       -DCMAKE_INSTALL_INCLUDEDIR=usr/include)
layout(flat cmake/pagefold -DCMAKE_INSTALL_DATADIR=. -DCMAKE_INSTALL_INCLUDEDIR=.)
layout(absolute_headers "${SCRATCH}/absolute_headers/prefix/share/cmake/pagefold"
       "-DCMAKE_INSTALL_INCLUDEDIR=${SCRATCH}/absolute_headers/prefix/elsewhere/include")
layout(absolute "${SCRATCH}/absolute/data/cmake/pagefold"
       "-DCMAKE_INSTALL_INCLUDEDIR=${SCRATCH}/absolute/prefix/elsewhere/include" "-DCMAKE_INSTALL_DATADIR=${SCRATCH}/absolute/data")
