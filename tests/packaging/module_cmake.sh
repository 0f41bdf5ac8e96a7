#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   module_cmake.sh SOURCE SCRATCH
#
# pagefold::module, from an installation and from the tree, in a project that imports pagefold. CMake and ninja come from
# PyPI: the system's CMake may be older than its modules.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2
. "$here/common.sh"
for version in 19 16; do
  if command -v clang++-$version >/dev/null 2>&1 && command -v clang-scan-deps-$version >/dev/null 2>&1; then
    compiler=clang++-$version
    break
  fi
done
[ -n "${compiler:-}" ] || skip "neither clang 16 nor 19 with clang-scan-deps is here"
mkdir -p "$scratch"
venv "$scratch/venv" 'cmake>=3.28,<4' ninja
PATH=$scratch/venv/bin:$PATH
rm -rf "$scratch/work"
mkdir "$scratch/work"
cd "$scratch/work"
mkdir importer
cp "$here/module/CMakeLists.txt" importer
import_pagefold "$here/consumer/main.cpp" >importer/main.cpp

# imports WAY CODECS [CMAKE ARGUMENT...]: builds the project and runs it; it names those codecs and no other.
imports() {
  way=$1 codecs=$2
  shift 2
  quietly cmake -S importer -B "$way" -G Ninja "-DCMAKE_CXX_COMPILER=$compiler" "-DPAGEFOLD_WAY=$way" "$@"
  quietly cmake --build "$way"
  "$way/importer" >said
  cat said
  for name in default $codecs; do echo "$name: ok"; done | cmp - said
}

codec=
if echo '#include <lz4.h>' | "$compiler" -E -x c++ - >/dev/null 2>&1; then codec=lz4; else echo "not tested: lz4"; fi
quietly cmake -S "$source" -B build -G Ninja "-DCMAKE_CXX_COMPILER=$compiler" -DPAGEFOLD_BUILD_TESTS=OFF \
  -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF
quietly cmake --install build --prefix "$PWD/installed"
imports find_package "$codec" "-DCMAKE_PREFIX_PATH=$PWD/installed" "-DPAGEFOLD_CODECS=$codec"
# What is found here and was not asked for is not linked.
imports add_subdirectory '' "-DPAGEFOLD_SOURCE=$source" -DPAGEFOLD_MODULE=ON
[ -z "$codec" ] || imports add_subdirectory "$codec" -DPAGEFOLD_WITH_LZ4=ON

# Where it can't be had, the reason is said.
if cmake -S importer -B refused -G 'Unix Makefiles' "-DCMAKE_CXX_COMPILER=$compiler" -DPAGEFOLD_WAY=find_package \
  "-DCMAKE_PREFIX_PATH=$PWD/installed" >log 2>&1; then
  echo "Makefiles were not refused"
  exit 1
fi
tr -s ' \n' ' ' <log | grep -q 'module: the generator Unix Makefiles builds no modules' || { cat log; exit 1; }
