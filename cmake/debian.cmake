# SPDX-License-Identifier: MIT
#
# The Debian package: cpack -G DEB in the build folder. It wants a maintainer, who is whoever packages:
# -D CPACK_DEBIAN_PACKAGE_MAINTAINER='A Name <name@example.org>'.
set(CPACK_PACKAGE_NAME libpagefold-dev)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compressed page-cache primitives for C++20 (headers)")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Compressors, size-class allocators, eviction policies and placement as parts
behind concepts, and the page store that they compose into, for those who
write a hypervisor, a kernel, a user-space pager or a database.
.
The library is headers alone. The adapters to LZ4, LZO and zstd need the
development packages of these libraries.")
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_CURRENT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0pagefold1) # before a -1 of Debian's own
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_MULTIARCH foreign) # CMake 3.31 and later write it
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)

# A codec that was asked for is depended on, one that was found is suggested.
set(debian_lz4 liblz4-dev)
set(debian_lzo liblzo2-dev)
set(debian_zstd libzstd-dev)
set(depends)
set(suggests)
foreach(component IN LISTS pagefold_offered)
  string(TOUPPER ${component} upper)
  if(PAGEFOLD_WITH_${upper} STREQUAL "AUTO")
    list(APPEND suggests ${debian_${component}})
  else()
    list(APPEND depends ${debian_${component}})
  endif()
endforeach()
list(JOIN depends ", " CPACK_DEBIAN_PACKAGE_DEPENDS)
list(JOIN suggests ", " CPACK_DEBIAN_PACKAGE_SUGGESTS)

# What Debian wants under share/doc, written beside what was installed when it is packaged.
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_SOURCE_DIR}/cmake/debian_docs.cmake")
set(CPACK_PAGEFOLD_SOURCE "${CMAKE_CURRENT_SOURCE_DIR}")
include(CPack)
