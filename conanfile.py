# SPDX-License-Identifier: MIT
#
#   conan create . -s compiler.cppstd=20 -o '&:with_lz4=True'
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout
from conan.tools.scm import Version

required_conan_version = ">=2.0"


class PagefoldConan(ConanFile):
    name = "pagefold"
    description = "Compressed page-cache primitives: compressors, allocators, eviction, placement and a store of them"
    license = "MIT"
    topics = ("compression", "page-cache", "swap", "allocator", "hypervisor", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    # liblzo2 is GPL-2.0-or-later: a program that links pagefold::lzo falls under that licence.
    options = {"with_lz4": [True, False], "with_lzo": [True, False], "with_zstd": [True, False]}
    default_options = {"with_lz4": False, "with_lzo": False, "with_zstd": False}
    no_copy_source = True
    exports_sources = "include/*", "LICENSE"
    test_package_folder = "tests/packaging/conan/test_package"

    def set_version(self):
        # The header is the one home of the version.
        header = load(self, os.path.join(self.recipe_folder, "include/pagefold/config/version.hpp"))
        self.version = ".".join(re.findall(r"define PAGEFOLD_VERSION_[A-Z]+ (\d+)", header))

    def layout(self):
        basic_layout(self)

    def requirements(self):
        # Our headers include theirs and call them inline.
        if self.options.with_lz4:
            self.requires("lz4/1.9.4", transitive_headers=True, transitive_libs=True)
        if self.options.with_lzo:
            self.requires("lzo/2.10", transitive_headers=True, transitive_libs=True)
        if self.options.with_zstd:
            self.requires("zstd/[>=1.5 <1.6]", transitive_headers=True, transitive_libs=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration(f"{self.ref} needs Linux, not {self.settings.os}")
        # The default profile says gnu17 with the usual compilers: without this word it ends in hundreds of errors.
        check_min_cppstd(self, 20)
        compiler, version = str(self.settings.compiler), Version(self.settings.compiler.version)
        least = {"gcc": "11", "clang": "14"}.get(compiler)
        if least is None:
            raise ConanInvalidConfiguration(f"{self.ref} needs GCC or Clang, not {compiler}")
        if version < least:
            raise ConanInvalidConfiguration(f"{self.ref} needs {compiler} {least} or later, not {version}")

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        for headers in "*.hpp", "*.cppm":
            copy(self, headers, os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        # Who links pagefold::pagefold must not get the codecs along, which would be so if the whole package had that name.
        self.cpp_info.set_property("cmake_file_name", "pagefold")
        self.cpp_info.set_property("cmake_target_name", "pagefold::all")
        self.cpp_info.set_property("pkg_config_name", "pagefold-all")

        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "pagefold::pagefold")
        core.set_property("pkg_config_name", "pagefold")
        core.bindirs = core.libdirs = []
        for codec, library in {"lz4": "lz4::lz4", "lzo": "lzo::lzo", "zstd": "zstd::zstdlib"}.items():
            if self.options.get_safe(f"with_{codec}"):
                component = self.cpp_info.components[codec]
                component.set_property("cmake_target_name", f"pagefold::{codec}")
                component.set_property("pkg_config_name", f"pagefold-{codec}")
                component.bindirs = component.libdirs = component.includedirs = []
                component.requires = ["core", library]
                component.defines = [f"PAGEFOLD_WITH_{codec.upper()}=1"]
