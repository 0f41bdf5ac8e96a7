# SPDX-License-Identifier: MIT
#
# An overlay port: it packages the tree that it lies in. vcpkg's hash covers this folder alone, so after a change of the
# headers remove the package before it is installed again.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release) # header-only port

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
    FEATURES
        lz4  PAGEFOLD_WITH_LZ4
        lzo  PAGEFOLD_WITH_LZO
        zstd PAGEFOLD_WITH_ZSTD
)

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        ${FEATURE_OPTIONS}
        -DPAGEFOLD_BUILD_TESTS=OFF
        -DPAGEFOLD_BUILD_EXAMPLES=OFF
        -DPAGEFOLD_BUILD_BENCHMARKS=OFF
        -DPAGEFOLD_INSTALL=ON
)

vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/pagefold)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib" "${CURRENT_PACKAGES_DIR}/share/licenses")

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
