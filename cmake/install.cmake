# SPDX-License-Identifier: MIT
#
# What is installed. Without PAGEFOLD_INSTALL the rules are there and take no part in an installation: a project that
# contains pagefold, links it and exports a target of its own needs to find pagefold in an exported set. Then
# `cmake --install <build> --component pagefold` still installs it.
include(CMakePackageConfigHelpers)

set(share COMPONENT pagefold)
if(NOT PAGEFOLD_INSTALL)
  list(APPEND share EXCLUDE_FROM_ALL)
endif()
# Normal, as CMake counts the folders that lead back to the prefix, "." among them.
cmake_path(SET package_dir NORMALIZE "${CMAKE_INSTALL_DATADIR}/cmake/pagefold")
# Not where find_package looks when somebody names the build folder as a prefix: only who asks for this very folder,
# with pagefold_DIR, uses the headers where they lie.
set(package_files "${CMAKE_CURRENT_BINARY_DIR}/package")

install(DIRECTORY include/pagefold DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" ${share} FILES_MATCHING PATTERN "*.hpp")
install(TARGETS pagefold EXPORT pagefold-targets)
install(EXPORT pagefold-targets NAMESPACE pagefold:: DESTINATION "${package_dir}" ${share})
export(EXPORT pagefold-targets NAMESPACE pagefold:: FILE "${package_files}/pagefold-targets.cmake")
configure_package_config_file(cmake/pagefold-config.cmake.in "${package_files}/pagefold-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${package_files}/pagefold-config-version.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
configure_file(cmake/pagefold_components.cmake "${package_files}/pagefold_components.cmake" COPYONLY)
install(FILES "${package_files}/pagefold-config.cmake" "${package_files}/pagefold-config-version.cmake"
              "${package_files}/pagefold_components.cmake"
        DESTINATION "${package_dir}" ${share})
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/pagefold" ${share})
