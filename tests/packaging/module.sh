#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   module.sh SOURCE SCRATCH COMPILER
#
# The module, compiled by hand, from an installation as the README says it: a program that imports it stores a page and
# gets it back, through the default and through each codec that is here. One without the codecs has none of their names.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
needs "$compiler"
rm -rf "$scratch"
mkdir -p "$scratch/bin" "$scratch/home/.local/share/pkgconfig"
cd "$scratch"
import_pagefold "$here/consumer/main.cpp" >program.cpp

# stores_pages NAME FLAG...: a module with these flags, and the program over it; what it says goes to NAME.said.
stores_pages() {
  name=$1
  shift
  "$compiler" -std=c++20 -pthread -Wall -Wextra -Werror -I "$source/include" "$@" --precompile \
    "$source/include/pagefold/pagefold.cppm" -o "$name.pcm"
  "$compiler" -std=c++20 -pthread -Wall -Wextra -Werror "$@" "-fmodule-file=pagefold=$name.pcm" program.cpp "$name.pcm" \
    -o "$name"
  "./$name" >"$name.said"
  cat "$name.said"
}

stores_pages core
[ "$(cat core.said)" = 'default: ok' ]
for name in lz4 zstd lzo; do
  echo "import pagefold; pagefold::$name* it;" >names.cpp
  if "$compiler" -std=c++20 -pthread -fmodule-file=pagefold=core.pcm -fsyntax-only names.cpp 2>log; then
    echo "the core's module has pagefold::$name"
    exit 1
  fi
  grep -qE "error: .*(no type named '$name'|'$name' must be declared before it is used)" log || { cat log; exit 1; }
done

codecs=
for codec in lz4:LZ4:lz4.h:lz4 zstd:ZSTD:zstd.h:zstd lzo:LZO:lzo/lzo1x.h:lzo2; do
  IFS=: read -r name upper header library <<TEXT
$codec
TEXT
  if echo "#include <$header>" | "$compiler" -E -x c++ - >/dev/null 2>&1; then
    codecs="$codecs -DPAGEFOLD_WITH_$upper=1 -Wl,-l$library"
  else
    echo "not tested: $name, which is not installed here"
  fi
done
# shellcheck disable=SC2086 # flags are words
[ -z "$codecs" ] || stores_pages codecs -Wno-unused-command-line-argument $codecs
if grep WRONG ./*.said; then exit 1; fi
[ -z "$codecs" ] || [ "$(wc -l <codecs.said)" -eq $(($(echo "$codecs" | wc -w) / 2 + 1)) ]

# A hypervisor's or a kernel's compiler.
"$compiler" -std=c++20 -ffreestanding -fno-exceptions -fno-rtti -Wall -Wextra -Werror -I "$source/include" --precompile \
  "$source/include/pagefold/pagefold.cppm" -o freestanding.pcm
echo 'import pagefold; pagefold::page_store<pagefold::default_config>* store; static_assert(pagefold::version_major < 100);' >kernel.cpp
"$compiler" -std=c++20 -ffreestanding -fno-exceptions -fno-rtti -fmodule-file=pagefold=freestanding.pcm -fsyntax-only kernel.cpp

# As the README says it.
readme_block "$source/README.md" sh precompile >block
command -v pkg-config >/dev/null 2>&1 || { echo "not tested: the README's block, without pkg-config"; exit 0; }
ln -s "$(command -v "$compiler")" bin/clang++
quietly cmake -S "$source" -B build "-DCMAKE_CXX_COMPILER=$compiler" -DPAGEFOLD_BUILD_TESTS=OFF \
  -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF
quietly cmake --install build --prefix "$scratch/home/.local"
HOME=$scratch/home PATH=$scratch/bin:$PATH
PKG_CONFIG_PATH=$HOME/.local/share/pkgconfig
export HOME PATH PKG_CONFIG_PATH
quietly sh -eu block
[ "$(./program)" = 'default: ok' ]
