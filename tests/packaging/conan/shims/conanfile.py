# SPDX-License-Identifier: MIT
#
# Stands for Conan Center's lz4, lzo or zstd, with the library that the system has: no network, and nothing is built.
from conan import ConanFile

# name: library, target, pkg-config module, component
FACTS = {
    "lz4": ("lz4", "LZ4::lz4_static", "liblz4", None),
    "lzo": ("lzo2", None, "lzo2", None),
    "zstd": ("zstd", "zstd::libzstd_static", "libzstd", "zstdlib"),
}


class SystemCodec(ConanFile):
    package_type = "unknown"

    def package_info(self):
        library, target, module, component = FACTS[self.name]
        info = self.cpp_info.components[component] if component else self.cpp_info
        info.includedirs = info.libdirs = info.bindirs = []
        info.system_libs = [library]
        info.set_property("pkg_config_name", module)
        if target:
            info.set_property("cmake_target_name", target)
