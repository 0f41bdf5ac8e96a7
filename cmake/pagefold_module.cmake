# SPDX-License-Identifier: MIT
#
#   pagefold_add_module(<include dir> <reason> [<codec>...])
#
# creates pagefold::module, used the same way in the source tree and by the installed package: a library of one file,
# pagefold.cppm, which is compiled in the project that imports it. A compiled module fits only the flags that it was
# compiled with, so none is installed. It has the names of those codecs that there are targets of when CMake generates.
# Sets <reason> to why there is no such target, or to nothing.
include_guard(GLOBAL)

function(pagefold_add_module include_dir reason)
  set(${reason} "" PARENT_SCOPE)
  if(TARGET pagefold::module)
    return()
  endif()
  if(CMAKE_VERSION VERSION_LESS 3.28)
    set(${reason} "the module needs CMake 3.28" PARENT_SCOPE)
  elseif(NOT CMAKE_GENERATOR MATCHES "^(Ninja|Visual Studio)")
    set(${reason} "the generator ${CMAKE_GENERATOR} builds no modules; Ninja does" PARENT_SCOPE)
  elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
    set(${reason} "the module needs clang 16" PARENT_SCOPE)
  else()
    # Threads from here and not from whoever imports: their flag must be the same on both sides.
    find_package(Threads QUIET GLOBAL)
    if(NOT TARGET Threads::Threads)
      set(${reason} "the module needs threads" PARENT_SCOPE)
      return()
    endif()
    add_library(pagefold_module STATIC EXCLUDE_FROM_ALL)
    add_library(pagefold::module ALIAS pagefold_module)
    target_sources(pagefold_module PUBLIC FILE_SET CXX_MODULES BASE_DIRS "${include_dir}"
                                          FILES "${include_dir}/pagefold/pagefold.cppm")
    target_link_libraries(pagefold_module PUBLIC pagefold::pagefold Threads::Threads)
    foreach(codec IN LISTS ARGN)
      target_link_libraries(pagefold_module PUBLIC $<TARGET_NAME_IF_EXISTS:pagefold::${codec}>)
    endforeach()
  endif()
endfunction()
