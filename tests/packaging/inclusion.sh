#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   inclusion.sh SOURCE SCRATCH COMPILER precompiled|macros|macros_libc++
#
# The ways that a project includes us: through a precompiled header, and behind a header that leaves macros min and max,
# as windows.h does.
set -eu
source=$1 scratch=$2 compiler=$3 what=$4
. "$(dirname "$0")/common.sh"
needs "$compiler"
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

compile() { "$compiler" -std=c++20 -pthread -I "$source/include" -Wall -Wextra -Werror "$@"; }

# Every header. An adapter needs its codec's header.
all_headers() {
  (cd "$source/include" && find pagefold -name '*.hpp' | sort) | while read -r header; do
    case $header in
    */compress/lz4.hpp) foreign=lz4.h ;;
    */compress/zstd.hpp) foreign=zstd.h ;;
    */compress/lzo.hpp) foreign=lzo/lzo1x.h ;;
    *) foreign=cstddef ;;
    esac
    printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' "$foreign" "$header"
  done
}

# What we include and do not ship. It comes before the macros: a standard library may undefine them.
foreign_headers() {
  grep -rhE '^#[[:space:]]*include <' "$source/include/pagefold" --include='*.hpp' | grep -vE '<(pagefold/|arm_neon)' |
    sed 's/^.*<\(.*\)>.*$/#if __has_include(<\1>)\n#include <\1>\n#endif/'
}

case $what in
precompiled)
  echo '#include <pagefold/pagefold.hpp>' >all.hpp
  all_headers >>all.hpp
  case $("$compiler" --version) in
  *clang*)
    compile -x c++-header all.hpp -o all.pch
    compile -include-pch all.pch "$source/tests/packaging/consumer/main.cpp" -o program
    ;;
  *)
    compile -x c++-header all.hpp -o all.hpp.gch
    compile -Winvalid-pch -include ./all.hpp "$source/tests/packaging/consumer/main.cpp" -o program
    ;;
  esac
  ./program
  ;;
macros | macros_libc++)
  library=
  if [ "$what" = macros_libc++ ]; then
    library=-stdlib=libc++
    echo '#include <vector>' >probe.cpp
    compile $library -fsyntax-only probe.cpp 2>/dev/null || skip "$compiler has no libc++ here"
  fi
  macros='#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))'
  { foreign_headers; printf '%s\n' "$macros"; all_headers; } >after.cpp
  compile $library -fsyntax-only after.cpp
  # As a program has it: the macros before everything.
  { printf '%s\n' "$macros"; all_headers; echo 'int main() {}'; } >before.cpp
  compile $library -fsyntax-only before.cpp
  ;;
esac
