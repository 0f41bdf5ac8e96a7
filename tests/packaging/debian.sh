#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   debian.sh SOURCE SCRATCH COMPILER
#
# The Debian package, packaged under a narrow umask: lintian has no error and no warning of it, its licence is ours, and it
# depends on the codec that was asked for.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
needs dpkg-deb gzip
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
codec=
if echo '#include <zstd.h>' | "$compiler" -E -x c++ - >/dev/null 2>&1; then codec=-DPAGEFOLD_WITH_ZSTD=ON; fi

umask 077
# shellcheck disable=SC2086 # at most one word
quietly cmake -S "$source" -B build "-DCMAKE_CXX_COMPILER=$compiler" -DPAGEFOLD_BUILD_TESTS=OFF \
  -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF -DPAGEFOLD_WITH_LZ4=OFF $codec
(cd build && SOURCE_DATE_EPOCH=1700000000 quietly cpack -G DEB \
  -D CPACK_DEBIAN_PACKAGE_MAINTAINER='A Packager <packager@example.org>')

version=$(sed -n 's/^#define PAGEFOLD_VERSION_[A-Z]* //p' "$source/include/pagefold/config/version.hpp" | paste -sd. -)
deb=build/libpagefold-dev_$version-0pagefold1_all.deb
# has FIELD VALUE
has() {
  value=$(dpkg-deb -f "$deb" "$1")
  [ "$value" = "$2" ] || { echo "$1 is '$value', not '$2'"; exit 1; }
}
has Package libpagefold-dev
has Version "$version-0pagefold1"
has Architecture all
has Depends "${codec:+libzstd-dev}"
has Suggests ''

dpkg-deb -x "$deb" unpacked
doc=unpacked/usr/share/doc/libpagefold-dev
# The copyright file has every line of the licence: without Debian's indentation and dots it is LICENSE.
{
  printf 'MIT License\n\n'
  sed -n 's/^Copyright: /Copyright (c) /p' $doc/copyright
  echo
  sed -n '/^License: Expat$/,$ p' $doc/copyright | sed '1 d; s/^ \.$//; s/^ //'
} | cmp - "$source/LICENSE"
gzip -dc $doc/changelog.gz | cmp - "$source/CHANGELOG.md"
gzip -dc $doc/changelog.Debian.gz >changelog
cat changelog
grep -q "^pagefold ($version-0pagefold1) " changelog
grep -q '^ -- A Packager <packager@example.org>  Tue, 14 Nov 2023 22:13:20 +0000$' changelog
[ ! -e unpacked/usr/share/licenses ]
[ -e unpacked/usr/include/pagefold/pagefold.cppm ]

command -v lintian >/dev/null 2>&1 || skip "lintian is not here; the rest holds"
lintian --version
lintian --fail-on error,warning --allow-root "$deb"
