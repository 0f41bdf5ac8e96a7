#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   meson.sh SOURCE SCRATCH COMPILER
#
# A project built by Meson takes pagefold as a subproject, then from what Meson and what CMake installed. Meson and ninja
# come from PyPI.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
needs pkg-config
mkdir -p "$scratch"
venv "$scratch/venv" 'meson>=1,<2' ninja
PATH=$scratch/venv/bin:$PATH
CXX=$compiler
export PATH CXX
rm -rf "$scratch/work"
mkdir "$scratch/work"
cd "$scratch/work"

codecs=
for codec in lz4:liblz4 lzo:lzo2 zstd:libzstd; do
  if pkg-config --exists "${codec#*:}"; then
    codecs=$codecs${codecs:+,}${codec%:*}
  else
    echo "not tested: ${codec%:*}, which is not installed here"
  fi
done

mkdir consumer
cp "$here"/meson/meson* "$here/consumer/main.cpp" consumer

# As a subproject, and built: the installed ones below differ in what they find alone.
cp -R consumer contains
mkdir contains/subprojects
ln -s "$source" contains/subprojects/pagefold
cat >contains/subprojects/pagefold.wrap <<'TEXT'
[wrap-file]
directory = pagefold

[provide]
dependency_names = pagefold, pagefold-lz4, pagefold-lzo, pagefold-zstd
TEXT
quietly meson setup contains contains/build -Dpagefold:lzo=auto "-Dcodecs=$codecs"
quietly meson compile -C contains/build
contains/build/consumer >said
cat said
[ "$(grep -c ': ok$' said)" -eq $((1 + $(echo "$codecs" | tr , '\n' | grep -c .))) ]

# Installed by Meson and moved, then by CMake and moved: the same files but for the CMake package.
quietly meson setup "$source" by_meson/build --prefix "$PWD/by_meson/prefix" -Dlzo=auto
quietly meson install -C by_meson/build
quietly cmake -S "$source" -B by_cmake/build "-DCMAKE_INSTALL_PREFIX=$PWD/by_cmake/prefix" -DPAGEFOLD_BUILD_TESTS=OFF \
  -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF -DPAGEFOLD_WITH_LZO=AUTO
quietly cmake --install by_cmake/build
for who in by_meson by_cmake; do
  mv $who/prefix $who/moved
  (cd $who/moved && find . -type f | grep -v '/cmake/' | sort) >$who/files
  PKG_CONFIG_PATH=$PWD/$who/moved/share/pkgconfig quietly meson setup consumer $who/consumer "-Dcodecs=$codecs"
  # The headers are found where they were moved to.
  grep -q "$who/moved/" $who/consumer/build.ninja
done
diff by_meson/files by_cmake/files
diff -r by_meson/moved/share/pkgconfig by_cmake/moved/share/pkgconfig

# As the README says it.
mkdir -p readme/subprojects
ln -s "$source" readme/subprojects/pagefold
cp "$here/consumer/main.cpp" readme/program.cpp
echo "project('user', 'cpp', default_options: ['cpp_std=c++20'])" >readme/meson.build
readme_block "$source/README.md" meson dependency >>readme/meson.build
quietly meson setup readme readme/build
grep -q 'subprojects/pagefold/include' readme/build/build.ninja
