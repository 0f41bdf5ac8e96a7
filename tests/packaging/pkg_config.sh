#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   pkg_config.sh SOURCE SCRATCH COMPILER
#
# An installation that was moved, used through pkg-config: the core alone, and with the codecs.
set -eu
source=$1 scratch=$2 compiler=$3
. "$(dirname "$0")/common.sh"
needs pkg-config
rm -rf "$scratch"
mkdir -p "$scratch"

# install_to NAME [-D...]: installed in $scratch/NAME/prefix, then moved to $scratch/NAME/moved
install_to() {
  here=$scratch/$1
  shift
  quietly cmake -S "$source" -B "$here/build" "-DCMAKE_CXX_COMPILER=$compiler" "-DCMAKE_INSTALL_PREFIX=$here/prefix" \
    -DPAGEFOLD_BUILD_TESTS=OFF -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF -DPAGEFOLD_WITH_LZO=AUTO \
    "$@"
  quietly cmake --install "$here/build"
  mv "$here/prefix" "$here/moved"
  rm -rf "$here/build"
}

install_to usual
PKG_CONFIG_PATH=$scratch/usual/moved/share/pkgconfig
export PKG_CONFIG_PATH
version=$(sed -n 's/^#define PAGEFOLD_VERSION_[A-Z]* //p' "$source/include/pagefold/config/version.hpp" | paste -sd. -)
[ "$(pkg-config --modversion pagefold)" = "$version" ]
[ -z "$(pkg-config --libs pagefold)" ] || { echo "the core brings libraries along"; exit 1; }

# stores_a_page MODULE...: a program that links them, which names what it stored a page through.
stores_a_page() {
  # shellcheck disable=SC2046 # flags are words
  "$compiler" -std=c++20 "$source/tests/packaging/consumer/main.cpp" -o "$scratch/program" -pthread \
    $(pkg-config --cflags --libs "$@")
  "$scratch/program" >"$scratch/said"
  cat "$scratch/said"
}
stores_a_page pagefold
[ "$(cat "$scratch/said")" = 'default: ok' ]

modules=
for codec in lz4:liblz4 lzo:lzo2 zstd:libzstd; do
  if pkg-config --exists "${codec#*:}"; then
    modules="$modules pagefold-${codec%:*}"
  else
    echo "not tested: ${codec%:*}, which is not installed here"
  fi
done
if [ -n "$modules" ]; then
  # shellcheck disable=SC2086 # modules are words
  stores_a_page $modules
  for module in $modules; do
    grep -q "^${module#pagefold-}: ok" "$scratch/said"
  done
fi

# Where the folders lie otherwise, the headers are found all the same; and a codec that is off has no file.
found() {
  folder=$(PKG_CONFIG_PATH=$1 pkg-config --cflags-only-I pagefold | sed 's/^-I//; s/ *$//')
  [ -e "$folder/pagefold/pagefold.hpp" ] || { echo "no headers at $folder"; exit 1; }
}
install_to deep -DCMAKE_INSTALL_DATADIR=usr/lib/any/data "-DCMAKE_INSTALL_INCLUDEDIR=usr/include/pagefold-$version" \
  -DPAGEFOLD_WITH_LZ4=OFF
found "$scratch/deep/moved/usr/lib/any/data/pkgconfig"
[ ! -e "$scratch/deep/moved/usr/lib/any/data/pkgconfig/pagefold-lz4.pc" ]
install_to flat -DCMAKE_INSTALL_DATADIR=. -DCMAKE_INSTALL_INCLUDEDIR=.
found "$scratch/flat/moved/pkgconfig"
