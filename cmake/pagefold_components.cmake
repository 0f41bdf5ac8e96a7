# SPDX-License-Identifier: MIT
#
# The foreign codecs, resolved the same way in the source tree and by the installed package. There is no one name for
# these libraries: their own CMake packages, vcpkg, Conan and the distributions each call the target something else, and
# Debian ships lz4 and lzo without any. So: the first existing target of a list; else the packages of a list and the
# targets again; else header and library files into an imported target of our own.
#
#   pagefold_add_component(<lz4|lzo|zstd> <found> [<prefix>])
#
# creates pagefold::<component> and sets <found> in the caller. An installed package gives its own prefix, where a library
# comes before the system's: what one package manager installed together belongs together.
include_guard(GLOBAL)

# What is known of a component, into the caller's scope; `targets` stays empty for an unknown one.
function(_pagefold_component_facts component)
  set(targets)
  if(component STREQUAL "lz4")
    set(targets LZ4::lz4 lz4::lz4 LZ4::lz4_shared LZ4::lz4_static)
    set(packages lz4 LZ4)
    set(header lz4.h)
    set(library lz4)
    set(pkgconfig liblz4)
  elseif(component STREQUAL "lzo") # GPL-2.0-or-later
    set(targets lzo::lzo unofficial::lzo::lzo)
    set(packages lzo unofficial-lzo)
    set(header lzo/lzo1x.h) # with its folder: lzo2.pc points inside that
    set(library lzo2)
    set(pkgconfig lzo2)
  elseif(component STREQUAL "zstd")
    set(targets zstd::libzstd zstd::libzstd_shared zstd::libzstd_static)
    set(packages zstd)
    set(header zstd.h)
    set(library zstd)
    set(pkgconfig libzstd)
  endif()
  foreach(fact IN ITEMS targets packages header library pkgconfig)
    set(${fact} "${${fact}}" PARENT_SCOPE)
  endforeach()
endfunction()

function(_pagefold_first_target out)
  set(${out} "" PARENT_SCOPE)
  foreach(candidate IN LISTS ARGN)
    if(TARGET ${candidate})
      set(${out} ${candidate} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Packages in turn until one brings a target of the list. It is made visible in every folder, as pagefold::<component>
# is, which a parent project links from outside the folder that this runs in.
function(_pagefold_find_package out packages targets prefix)
  set(global)
  if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.24)
    set(global GLOBAL)
  endif()
  foreach(package IN LISTS packages)
    find_package(${package} CONFIG QUIET ${global} HINTS ${prefix})
    _pagefold_first_target(target ${targets})
    if(target)
      get_target_property(aliased ${target} ALIASED_TARGET)
      if(aliased)
        set(target ${aliased})
      endif()
      set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
      break()
    endif()
  endforeach()
  set(${out} "${target}" PARENT_SCOPE)
endfunction()

# Header and library files into a target of our own; pkg-config only hints where to look. The library beside the header
# comes first, so that the two are of one installation.
function(_pagefold_find_files out component header library pkgconfig prefix)
  set(${out} "" PARENT_SCOPE)
  find_package(PkgConfig QUIET)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(pagefold_pc_${component} QUIET ${pkgconfig})
  endif()
  set(beside)
  if(prefix)
    set(beside "${prefix}/include")
  endif()
  find_path(PAGEFOLD_${component}_INCLUDE_DIR ${header} HINTS ${beside} ${pagefold_pc_${component}_INCLUDE_DIRS})
  get_filename_component(beside "${PAGEFOLD_${component}_INCLUDE_DIR}" DIRECTORY)
  find_library(PAGEFOLD_${component}_LIBRARY ${library} HINTS "${beside}/lib" ${pagefold_pc_${component}_LIBRARY_DIRS})
  mark_as_advanced(PAGEFOLD_${component}_INCLUDE_DIR PAGEFOLD_${component}_LIBRARY)
  if(PAGEFOLD_${component}_INCLUDE_DIR AND PAGEFOLD_${component}_LIBRARY)
    set(target pagefold::foreign_${component})
    add_library(${target} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(
      ${target} PROPERTIES IMPORTED_LOCATION "${PAGEFOLD_${component}_LIBRARY}"
                           INTERFACE_INCLUDE_DIRECTORIES "${PAGEFOLD_${component}_INCLUDE_DIR}")
    set(${out} ${target} PARENT_SCOPE)
  endif()
endfunction()

function(pagefold_add_component component found)
  set(${found} TRUE PARENT_SCOPE)
  if(TARGET pagefold::${component})
    return()
  endif()
  set(prefix ${ARGN})
  _pagefold_component_facts(${component})
  _pagefold_first_target(foreign ${targets})
  if(NOT foreign AND targets)
    _pagefold_find_package(foreign "${packages}" "${targets}" "${prefix}")
  endif()
  if(NOT foreign AND targets)
    _pagefold_find_files(foreign ${component} ${header} ${library} ${pkgconfig} "${prefix}")
  endif()
  if(NOT foreign)
    set(${found} FALSE PARENT_SCOPE)
    return()
  endif()
  # The macro tells pagefold.hpp that this codec is linked.
  string(TOUPPER ${component} upper)
  add_library(pagefold::${component} INTERFACE IMPORTED GLOBAL)
  set_target_properties(pagefold::${component} PROPERTIES INTERFACE_LINK_LIBRARIES "pagefold::pagefold;${foreign}"
                                                          INTERFACE_COMPILE_DEFINITIONS PAGEFOLD_WITH_${upper}=1)
endfunction()
