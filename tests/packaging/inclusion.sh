#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   inclusion.sh SOURCE SCRATCH COMPILER precompiled|macros|macros_libc++|hosts
#
# The ways that a project includes us: through a precompiled header, and behind a header that leaves macros min and max,
# as windows.h does, or others, as kernels, curses and macOS do. And what a compiler is told that can't do it.
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
hosts)
  {
    foreign_headers
    for macro in 'bit() host_bit' 'check() host_check' 'clear() host_clear' 'erase() host_erase' \
      'move(y, x) host_move' 'page_size(x) host_page' 'round_up(x, y) host_round' slots signals emit near far \
      'used __attribute__((__used__))' 'packed __attribute__((__packed__))' 'cold __attribute__((__cold__))' \
      'noinline __attribute__((__noinline__))' 'always_inline inline __attribute__((__always_inline__))' \
      'target host_target' 'vector_size host_vector' 'no_sanitize host_no' 'current host_current' 'barrier() host_barrier' \
      'likely(x) __builtin_expect(!!(x), 1)' 'PAGE_SIZE 4096' 'TRUE 1' 'FALSE 0' 'Status int' 'None 0L' 'Bool int' \
      'Success 0' 'OK (0)' 'ERR (-1)' 'BIT(x) (1u << (x))' 'verify(x) host_verify'; do
      printf '#undef %s\n#define %s\n' "${macro%%[( ]*}" "$macro"
    done
    echo '#include <pagefold/pagefold.hpp>'
    for name in bit check clear emit erase move near packed page_size round_up signals slots target used; do
      printf '#ifndef %s\n#error "a macro of the host is lost"\n#endif\n' $name
    done
    echo 'int main() {
      pagefold::mmap_source<> source;
      pagefold::page_store<pagefold::default_config> store{source};
      return store.create_pool() ? 0 : 1;
    }'
  } >hosts.cpp
  compile hosts.cpp -o program
  ./program
  echo '#include <pagefold/config/macros.hpp>' >old.cpp
  ! "$compiler" -std=c++17 -fsyntax-only -I "$source/include" old.cpp 2>log || exit 1
  grep -q 'pagefold needs C++20' log
  # A level that is a name, which the preprocessor takes for 0.
  echo '#include <pagefold/config/assert.hpp>' >level.cpp
  compile -fsyntax-only -DPAGEFOLD_ASSERT_LEVEL=0 level.cpp
  ! compile -fsyntax-only -DPAGEFOLD_ASSERT_LEVEL=ON level.cpp 2>log || exit 1
  grep -q 'ON.*declared\|undeclared.*ON' log
  ;;
esac
