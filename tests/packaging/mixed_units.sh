#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   mixed_units.sh SOURCE SCRATCH COMPILER
#
# Units of one program that are compiled otherwise: for a newer processor, without vectors, with other assertions. Whichever
# the linker meets first, no function of one may stand for that of another: they share no name of ours (config/abi.hpp), and
# of what they share of the standard library's nothing has instructions of the newer processor. Where an emulator is here,
# the program runs on an old processor with the new unit in front. A host that says so (PAGEFOLD_ABI) gets them mixed.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
needs "$compiler" nm objdump c++filt
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

cat >other.cpp <<'C'
#include <pagefold/pagefold.hpp>
#include <array>
unsigned long long other_checksum(const std::byte* bytes, std::size_t size) { return pagefold::checksum({bytes, size}, 1); }
int other_store() {
    static std::array<std::byte, 4096> page;
    pagefold::mmap_source<> memory;
    pagefold::page_store<pagefold::default_config> store{memory};
    const auto pool = store.create_pool();
    return pool && store.put({*pool, 1, 1}, page) == pagefold::status::ok && store.get({*pool, 1, 1}, page) == pagefold::status::ok;
}
C
cat >main.cpp <<'C'
#include <pagefold/pagefold.hpp>
#include <array>
unsigned long long other_checksum(const std::byte* bytes, std::size_t size);
int other_store();
int main(int count, char**) {
    static std::array<std::byte, 4096> page, back;
    if (count > 1) {
        return other_store() + static_cast<int>(other_checksum(page.data(), 64));
    }
    for (unsigned i = 0; i < 4096; ++i) {
        page[i] = static_cast<std::byte>(i * i >> 3);
    }
    pagefold::mmap_source<> memory;
    pagefold::page_store<pagefold::default_config> store{memory};
    const auto pool = store.create_pool();
    if (!pool || store.put({*pool, 1, 1}, page) != pagefold::status::ok ||
        store.get({*pool, 1, 1}, back) != pagefold::status::ok || page != back) {
        return 2;
    }
    return pagefold::checksum(page, 1) != pagefold::checksum(back, 1);
}
C

# defines OBJECT: the functions and objects of which the linker keeps one for all units.
defines() { nm "$1" | awk '$2 ~ /^[WVu]$/ { print $3 }' | sort; }
shared() { defines main.o >main.names && defines other.o >other.names && comm -12 main.names other.names; }

fail() {
  echo "$compiler $*"
  exit 1
}

build() { # LEVEL OPTION...
  level=$1
  shift
  "$compiler" -std=c++20 "$level" -pthread -I "$source/include" -c main.cpp -o main.o &
  first=$!
  "$compiler" -std=c++20 "$level" -pthread -I "$source/include" "$@" -c other.cpp -o other.o
  wait "$first"
}

mix() { # LEVEL OPTION...
  build "$@"
  shared >shared.names
  c++filt <shared.names >shared.readable
  ! grep -n 'pagefold::' shared.readable || fail "$*: the functions above have one name for both units"
  "$compiler" other.o main.o -o program -pthread
  ./program || fail "$*: $?"
}

# name OPTION...: the name itself. Empty where the compiler doesn't know an option.
name() {
  echo PAGEFOLD_ABI |
    "$compiler" -std=c++20 "$@" -I "$source/include" -include pagefold/config/abi.hpp -E -P -x c++ - 2>/dev/null | tail -n 1
}

newer=-DPAGEFOLD_ASSERT_LEVEL=2 levels='-O0 -O2'
[ "${PAGEFOLD_TEST_MATRIX:-ON}" = ON ] || levels=-O2 # where inlining leaves the fewest names, and the most instructions
if [ "$(uname -m)" = x86_64 ]; then
  newer=-march=x86-64-v3
  # What a compiler uses unasked beside the great sets: Zen's shuffles on a Haswell, Sapphire Rapids' moves on a Zen 5.
  for set in sse4a xop tbm avxvnni avxvnniint8 avxvnniint16 avx512fp16 cmpccxadd avxifma; do
    [ "$(name -march=x86-64-v4)" != "$(name -march=x86-64-v4 "-m$set")" ] || fail "-m$set: the name says nothing of it"
  done
  [ "$(name -march=haswell)" != "$(name -march=znver2)" ] || fail "a Zen has a Haswell's name"
  for level in $levels; do
    mix "$level" "$newer"
    objdump -d --no-show-raw-insn other.o >listing
    while read -r name; do
      awk -v start="<$name>:" '/^[0-9a-f]+ <.*>:$/ { inside = index($0, start) } inside' listing
    done <shared.names |
      grep -E '[[:space:]](v[a-z0-9]+|lzcnt|tzcnt|andn|blsr|bextr|s[ah][lr]x|rorx|movbe)[[:space:]]' &&
      fail "$level: a function of the standard library that both share has the newer one's instructions"
    if command -v qemu-x86_64-static >/dev/null 2>&1; then
      qemu-x86_64-static -cpu Nehalem ./program || fail "$level: $? on an old processor"
    fi
  done
fi
# The same of other architectures, where the compiler is one for all.
for sets in aarch64:armv8.4-a:+sha3 aarch64:armv8.4-a:+i8mm riscv64:rv64gc:_zbkb riscv64:rv64gc:_zcb; do
  target=${sets%%:*} more=${sets##*:} base=${sets#*:}
  base=${base%:*}
  plain=$(name "--target=$target-linux-gnu" "-march=$base")
  [ -z "$plain" ] || [ "$plain" != "$(name "--target=$target-linux-gnu" "-march=$base$more")" ] ||
    fail "$target$more: the name says nothing of it"
done
mix -O0 -DPAGEFOLD_NO_VECTORS -DPAGEFOLD_ASSERT_LEVEL=3

# The check can fail: with one name for all, there is much to share.
build -O0 "$newer" -DPAGEFOLD_ABI=mine
defines other.o | c++filt | grep -q 'pagefold::mine::' || fail "PAGEFOLD_ABI is not obeyed"
"$compiler" -std=c++20 -O0 -pthread -I "$source/include" -DPAGEFOLD_ABI=mine -c main.cpp -o main.o
shared | c++filt | grep -q 'pagefold::mine::' || fail "the check above sees nothing"

# Three names in one process take faults by signal by turns (hosted/sigbus_links.hpp): units of one program, libraries that it
# links, and those that it loads for itself alone, hidden symbols or not. The last only by g++, which has unique symbols.
turns=$here/mixed_units
turns_unit() { # NAME FILE OPTION...
  name=$1 file=$2
  shift 2
  "$compiler" -std=c++20 -O1 -Wall -Wextra -Werror -pthread -I "$source/include" "-DTURNS_UNIT=$name" "$@" \
    "$turns/turns_unit.cpp" -o "$file"
}
for level in first:0 second:1 third:2; do
  turns_unit "${level%:*}" "${level%:*}.o" -fPIC -c "-DPAGEFOLD_ASSERT_LEVEL=${level#*:}" &
  turns_unit "${level%:*}" "./lib${level%:*}.so" -fPIC -shared "-DPAGEFOLD_ASSERT_LEVEL=${level#*:}"
  wait $!
done
"$compiler" -std=c++20 -DTURNS_LINKED "$turns/turns.cpp" first.o second.o third.o -o turns -pthread
./turns || fail "units of one program don't take turns"
"$compiler" -std=c++20 -DTURNS_LINKED "$turns/turns.cpp" ./libfirst.so ./libsecond.so ./libthird.so -o turns_linked -pthread
./turns_linked || fail "linked libraries don't take turns"
case $("$compiler" --version) in
*clang*) ;;
*)
  "$compiler" -std=c++20 "$turns/turns.cpp" -o turns_loaded -ldl -pthread
  ./turns_loaded ./libfirst.so ./libsecond.so ./libthird.so || fail "loaded libraries don't take turns"
  turns_unit second ./libhidden.so -fPIC -shared -DPAGEFOLD_ASSERT_LEVEL=1 -fvisibility=hidden
  ./turns_loaded ./libfirst.so ./libhidden.so ./libthird.so || fail "a library with hidden symbols doesn't take turns"
  ;;
esac

# Each header knows the name, alone: without it the namespace would be called PAGEFOLD_ABI. One compiler is enough to say so,
# and the standard's headers, empty here, have nothing to do with it.
case $compiler in *clang*) exit 0 ;; esac
(cd "$source/include" && find pagefold -name '*.hpp' ! -path '*/compress/lzo.hpp' ! -path '*/compress/lz4.hpp' \
  ! -path '*/compress/zstd.hpp' ! -name abi.hpp) >headers
while read -r header; do sed -n 's,^ *# *include <\([a-z].*\)>.*,\1,p' "$source/include/$header"; done <headers |
  grep -v '^pagefold/' | sort -u |
  while read -r foreign; do
    mkdir -p "empty/$(dirname "$foreign")"
    : >"empty/$foreign"
  done
while read -r header; do
  echo "#include <$header>" | "$compiler" -std=c++20 -nostdinc -I empty -I "$source/include" -E -P -x c++ - 2>/dev/null >text
  if grep -q 'inline PAGEFOLD_ABI' text; then fail "$header does not include config/abi.hpp"; fi
  if grep -q '^namespace pagefold::inline v' text; then echo "$header" >>named; fi
  if grep -nE '^namespace pagefold( |::[^i])' "$source/include/$header"; then fail "$header opens another namespace"; fi
done <headers
# What was looked at is what is there.
[ "$(wc -l <named)" -gt 100 ] || fail "only $(wc -l <named) headers open the namespace"
