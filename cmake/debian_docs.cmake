# SPDX-License-Identifier: MIT
#
# Run by cpack over the staged files: the copyright file in Debian's format, Debian's changelog and ours.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

set(stage "${CPACK_TEMPORARY_DIRECTORY}")
set(made "${CPACK_TOPLEVEL_DIRECTORY}/debian_docs")
file(REMOVE_RECURSE "${made}" "${stage}/usr/share/licenses") # the copyright file has the licence

# LICENSE is a title, a line of copyright and the text. Debian's name of it is Expat; a blank line is a dot.
file(READ "${CPACK_PAGEFOLD_SOURCE}/LICENSE" license)
if(NOT license MATCHES "^MIT License\n\nCopyright \\(c\\) ([^\n]+)\n\n(.*[^\n])\n*$")
  message(FATAL_ERROR "LICENSE is not as expected: a title, one line of copyright and the text of the MIT licence")
endif()
set(holders "${CMAKE_MATCH_1}")
string(REGEX REPLACE "\n\n" "\n.\n" text "${CMAKE_MATCH_2}")
string(REPLACE "\n" "\n " text "${text}")
set(source)
if(CPACK_DEBIAN_PACKAGE_HOMEPAGE)
  set(source "Source: ${CPACK_DEBIAN_PACKAGE_HOMEPAGE}\n")
endif()
file(WRITE "${made}/copyright"
     "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: pagefold\n${source}\n"
     "Files: *\nCopyright: ${holders}\nLicense: Expat\n ${text}\n")

# SOURCE_DATE_EPOCH in the environment takes the place of now.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${made}/changelog.Debian"
     "pagefold (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) UNRELEASED; urgency=medium\n\n"
     "  * Package pagefold ${CPACK_PACKAGE_VERSION}; changelog.gz says what is new.\n\n"
     " -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
file(COPY_FILE "${CPACK_PAGEFOLD_SOURCE}/CHANGELOG.md" "${made}/changelog")
execute_process(COMMAND gzip -9n "${made}/changelog.Debian" "${made}/changelog" COMMAND_ERROR_IS_FATAL ANY)

file(COPY "${made}/copyright" "${made}/changelog.Debian.gz" "${made}/changelog.gz"
     DESTINATION "${stage}/usr/share/doc/${CPACK_PACKAGE_NAME}")

# Whatever the umask of who packages.
file(CHMOD_RECURSE "${stage}/usr"
     FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ
     DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
