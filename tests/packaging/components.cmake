# SPDX-License-Identifier: MIT
#
# The three codecs are switched in one way, and come from nowhere else than they should: what is off is not looked for,
# what is on must be there, and a library of the package manager's comes before the system's.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}/nothing")
set(no_libraries "-DCMAKE_FIND_ROOT_PATH=${SCRATCH}/nothing")
foreach(kind IN ITEMS INCLUDE LIBRARY PACKAGE)
  list(APPEND no_libraries -DCMAKE_FIND_ROOT_PATH_MODE_${kind}=ONLY)
endforeach()
set(ask ${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/asker" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}")

# A package manager's three codecs, as far as a search can see.
foreach(fact IN ITEMS lz4.lz4::lz4 lzo.lzo::lzo zstd.zstd::libzstd)
  string(REPLACE "." ";" fact "${fact}")
  list(POP_FRONT fact package target)
  file(WRITE "${SCRATCH}/manager/share/${package}/${package}-config.cmake"
       "add_library(${target} INTERFACE IMPORTED)\nset_target_properties(${target} PROPERTIES MANAGER TRUE)\n")
endforeach()

# Without the libraries: on is an error, and neither off nor automatic is one.
run(${configure} -B "${SCRATCH}/automatic" ${no_libraries} -DPAGEFOLD_WITH_LZ4=AUTO -DPAGEFOLD_WITH_LZO=AUTO
    -DPAGEFOLD_WITH_ZSTD=AUTO "-DCMAKE_INSTALL_PREFIX=${SCRATCH}/automatic/prefix")
run(${CMAKE_COMMAND} --install "${SCRATCH}/automatic")
run(${configure} -B "${SCRATCH}/off" -DPAGEFOLD_WITH_LZ4=OFF -DPAGEFOLD_WITH_LZO=OFF -DPAGEFOLD_WITH_ZSTD=OFF
    "-DCMAKE_INSTALL_PREFIX=${SCRATCH}/off/prefix")
run(${CMAKE_COMMAND} --install "${SCRATCH}/off")
# The manager's, in the prefix that pagefold is installed in.
run(${configure} -B "${SCRATCH}/on" -DPAGEFOLD_WITH_LZ4=ON -DPAGEFOLD_WITH_LZO=ON -DPAGEFOLD_WITH_ZSTD=ON
    "-DCMAKE_PREFIX_PATH=${SCRATCH}/manager" "-DCMAKE_INSTALL_PREFIX=${SCRATCH}/manager")
run(${CMAKE_COMMAND} --install "${SCRATCH}/on")

foreach(codec IN ITEMS lz4 lzo zstd)
  string(TOUPPER ${codec} upper)
  refused("PAGEFOLD_WITH_${upper} is ON and its library was not found" ${configure} -B "${SCRATCH}/refused_${codec}"
          ${no_libraries} -DPAGEFOLD_WITH_${upper}=ON)
  refused("${codec}: this installation is without it" ${ask} -B "${SCRATCH}/ask_off_${codec}" -DCODEC=${codec}
          "-Dpagefold_DIR=${SCRATCH}/off/prefix/share/cmake/pagefold")
  refused("${codec}: its library was not found" ${ask} -B "${SCRATCH}/ask_nowhere_${codec}" -DCODEC=${codec}
          ${no_libraries} "-Dpagefold_DIR=${SCRATCH}/automatic/prefix/share/cmake/pagefold")
  # The package is named without its prefix, and the system may have the codec, too.
  run(${ask} -B "${SCRATCH}/ask_manager_${codec}" -DCODEC=${codec} -DMANAGED=ON
      "-Dpagefold_DIR=${SCRATCH}/manager/share/cmake/pagefold")
endforeach()
