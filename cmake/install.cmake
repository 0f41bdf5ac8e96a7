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

install(DIRECTORY include/pagefold DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" ${share} FILES_MATCHING PATTERN "*.hpp"
        PATTERN "*.cppm")
install(TARGETS pagefold EXPORT pagefold-targets)
install(EXPORT pagefold-targets NAMESPACE pagefold:: DESTINATION "${package_dir}" ${share})
export(EXPORT pagefold-targets NAMESPACE pagefold:: FILE "${package_files}/pagefold-targets.cmake")
configure_package_config_file(cmake/pagefold-config.cmake.in "${package_files}/pagefold-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${package_files}/pagefold-config-version.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
foreach(script IN ITEMS pagefold_components pagefold_module)
  configure_file(cmake/${script}.cmake "${package_files}/${script}.cmake" COPYONLY)
endforeach()
install(FILES "${package_files}/pagefold-config.cmake" "${package_files}/pagefold-config-version.cmake"
              "${package_files}/pagefold_components.cmake" "${package_files}/pagefold_module.cmake"
        DESTINATION "${package_dir}" ${share})
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/pagefold" ${share})

# --- pkg-config --------------------------------------------------------------------------------------------------------

# Under share/, as nothing in these files depends on the machine. They find the headers from their own place, so that an
# installation can be moved; where the user chose absolute folders, it can't.
cmake_path(SET pc_dir NORMALIZE "${CMAKE_INSTALL_DATADIR}/pkgconfig")
set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
set(pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
if(NOT IS_ABSOLUTE "${pc_dir}")
  file(RELATIVE_PATH up "/${pc_dir}" "/")
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${up}")
endif()
if(NOT IS_ABSOLUTE "${pc_includedir}")
  string(PREPEND pc_includedir "\${prefix}/")
endif()

function(pagefold_install_pc pc_name pc_description pc_requires pc_cflags)
  configure_file(cmake/pagefold.pc.in "${package_files}/${pc_name}.pc" @ONLY)
  install(FILES "${package_files}/${pc_name}.pc" DESTINATION "${pc_dir}" ${share})
endfunction()

pagefold_install_pc(pagefold "${PROJECT_DESCRIPTION}" "" "-I\${includedir}")
foreach(component IN LISTS pagefold_offered)
  string(TOUPPER ${component} upper)
  _pagefold_component_facts(${component})
  pagefold_install_pc(pagefold-${component} "pagefold with its adapter to ${pkgconfig}"
                      "pagefold = ${PROJECT_VERSION}, ${pkgconfig}" "-DPAGEFOLD_WITH_${upper}=1")
endforeach()

# --- cpack -------------------------------------------------------------------------------------------------------------

if(PROJECT_IS_TOP_LEVEL AND PAGEFOLD_INSTALL)
  include(cmake/debian.cmake)
endif()
