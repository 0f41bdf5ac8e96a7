#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   readme_ways.sh SOURCE SCRATCH COMPILER
#
# The README's ways to get pagefold that need no tool but CMake, pkg-config and awk, with its own words. vcpkg is only
# played: its port has a test of its own, as the module has.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
needs pkg-config
pkg-config --exists liblz4 || skip "liblz4 is not here"
rm -rf "$scratch"
mkdir -p "$scratch/tree" "$scratch/bin" "$scratch/user"
cp -R "$source/CMakeLists.txt" "$source/LICENSE" "$source/CHANGELOG.md" "$source/cmake" "$source/include" "$scratch/tree"
cp "$here/consumer/main.cpp" "$scratch/tree/program.cpp"
ln -s "$(command -v "$compiler")" "$scratch/bin/c++"
HOME=$scratch/home PATH=$scratch/bin:$PATH CXX=$compiler
export HOME PATH CXX
readme=$source/README.md
cd "$scratch/tree"

# says LANGUAGE WORD: the README's block to a file of its own; a block that is missing ends the test.
says() { readme_block "$readme" "$1" "$2" >"$scratch/block"; }

says sh cpack
if ! command -v dpkg-deb >/dev/null 2>&1; then
  echo "not tested: the Debian package, without dpkg-deb"
  grep -v cpack "$scratch/block" >"$scratch/rest"
  mv "$scratch/rest" "$scratch/block"
fi
quietly sh -eu "$scratch/block"
[ -e "$HOME/.local/include/pagefold/pagefold.hpp" ]

says sh 'pkg-config --cflags --libs'
quietly sh -eu "$scratch/block"
./program >"$scratch/said"
cat "$scratch/said"
grep -q '^lz4: ok' "$scratch/said"

says cmake find_package
printf 'cmake_minimum_required(VERSION 3.22)\nproject(user LANGUAGES CXX)\nadd_executable(program program.cpp)\n' |
  cat - "$scratch/block" >"$scratch/user/CMakeLists.txt"
printf '#include <pagefold/compress/lz4.hpp>\nint main() {}\n' >"$scratch/user/program.cpp"
uses() {
  rm -rf "$scratch/user/build"
  quietly cmake -S "$scratch/user" -B "$scratch/user/build" "$@"
  quietly cmake --build "$scratch/user/build"
  grep -q "pagefold_DIR:PATH=${1#*=}" "$scratch/user/build/CMakeCache.txt"
}
uses "-DCMAKE_PREFIX_PATH=$HOME/.local"
if command -v dpkg-deb >/dev/null 2>&1; then
  quietly dpkg-deb -x build/package/libpagefold-dev_*_all.deb "$scratch/debian"
  uses "-DCMAKE_PREFIX_PATH=$scratch/debian/usr"
fi

says sh 'vcpkg install'
cat >"$scratch/bin/vcpkg" <<'TEXT'
#!/bin/sh
[ "$1 $2" = 'install pagefold[lz4]' ] && [ -e "${3#--overlay-ports=}/pagefold/portfile.cmake" ]
TEXT
chmod +x "$scratch/bin/vcpkg"
quietly sh -eu "$scratch/block"

says sh 'single_header'
quietly sh -eu "$scratch/block"
sed 's,#include <pagefold/pagefold.hpp>,#include "pagefold.hpp",' program.cpp >alone.cpp
quietly "$compiler" -std=c++20 -fsyntax-only alone.cpp
