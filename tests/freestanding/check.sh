#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   check.sh COMPILER ROOT SCRATCH {freestanding|vectors|planted|no_vectors|alone|linked}
#
# freestanding  program.cpp over freestanding.hpp, as a kernel would build it: no exceptions, RTTI, vector or float
#               registers, no library. Compiling proves little (both compilers accept <vector> under -ffreestanding), so
#               the proof is the include check (tests/layers), and here what the object still wants, the link against
#               nothing, and the run.
# vectors       the same for a host that lets its code use vector registers: all paths of the page codec.
# planted       proves that check by planting, in a copy of the library or a small program, each thing it must refuse.
# no_vectors    with PAGEFOLD_NO_VECTORS, and a compiler that may use vector registers: the checksum touches none, whatever
#               the target and however hard the compiler tries; its value is the same. Then plants that must be refused.
# alone         every header in a translation unit of its own, twice, with warnings as errors.
# linked        two translation units of all headers in one program: no definition may clash.
# shellcheck disable=SC2086 # lists of words are meant to be split
set -eu
export LC_ALL=C
compiler=$1 root=$2 scratch=$3 what=$4
here=$root/tests/freestanding
flags='-std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
bare='-O2 -ffreestanding -fno-exceptions -fno-rtti -fno-pic -fno-stack-protector'
[ "$what" = vectors ] || bare="$bare -mgeneral-regs-only"

command -v "$compiler" >/dev/null || { echo "skipped: no $compiler here"; exit 77; }
mkdir -p "$scratch"
cd "$scratch"

has_header() { echo "#include <$1>" | "$compiler" -E -x c++ - >/dev/null 2>&1; }
fail() { echo "refused: $*"; return 1; }

# The headers under $1 that freestanding.hpp must hold, as <...> names.
freestanding_headers() {
  (cd "$1" && find pagefold -name '*.hpp') | grep -v -E \
    '^pagefold/(hosted/.*|pagefold\.hpp|freestanding\.hpp|compress/(lz4|lzo|zstd)\.hpp)$' | sort
}

# $1: include folder, $2: program
check_freestanding() {
  "$compiler" $flags $bare -I "$1" -c "$2" -o program.o || fail "it does not compile" || return
  "$compiler" $flags $bare -I "$1" -M "$2" | awk '{ for (i = 1; i <= NF; ++i) print $i }' |
    sed -n "s,^$1/,,p" | sort >reached
  freestanding_headers "$1" >wanted
  comm -13 reached wanted >left_out
  [ ! -s left_out ] || fail "freestanding.hpp leaves out: $(cat left_out)" || return
  echo pagefold/freestanding.hpp | sort -m - wanted | comm -23 reached - >too_much
  [ ! -s too_much ] || fail "freestanding.hpp reaches: $(cat too_much)" || return

  wants=$(nm -u program.o | awk '{ print $NF }' | grep -v -x -E 'memcpy|memmove|memset|memcmp' || true)
  [ -z "$wants" ] || fail "undefined symbols:" $wants || return
  sections=$(size -A program.o | awk '/^\.(init_array|ctors|tdata|tbss)/ { print $1 }')
  [ -z "$sections" ] || fail "dynamic initialisation or thread-local data:" $sections || return

  "$compiler" $flags $bare -fno-builtin -O1 -c "$here/entry.cpp" -o entry.o || fail "entry.cpp does not compile" || return
  "$compiler" -nostdlib -static program.o entry.o -o program || fail "it does not link" || return
  ./program || fail "the program ends with status $?" || return
}

# $1: words of the refusal, $2: header, $3: text to add at its end, $4: text to add to the program
plant() {
  rm -rf copy
  mkdir copy
  cp -R "$root/include/pagefold" copy/
  printf '%s\n' '#include <pagefold/freestanding.hpp>' 'extern "C" int freestanding_main() { return 0; }' >copy/program.cpp
  printf '%s\n' "$3" >>"copy/pagefold/$2"
  printf '%s\n' "$4" >>copy/program.cpp
  if check_freestanding "$scratch/copy" copy/program.cpp >planted.log 2>&1; then
    echo "not refused: $3 $4"
    exit 1
  fi
  grep -q -E "refused: ($1)" planted.log || { echo "refused for another reason than '$1': $3 $4"; cat planted.log; exit 1; }
}

# $1: include folder, $2: options of the compiler. sum.cpp is nothing but the checksum, so that whatever its object holds is
# of it; driver.cpp calls it.
check_no_vectors() {
  "$compiler" $flags $2 -DPAGEFOLD_NO_VECTORS -fno-exceptions -I "$1" -c sum.cpp -o sum.o || fail "it does not compile" || return
  case $("$compiler" -dumpmachine) in
  x86_64* | i?86*) registers='%[xyz]mm[0-9]' ;;
  aarch64*) registers='[[:space:],{][vqdsbh][0-9]+([.,[:space:]}]|$)' ;;
  *) fail "no pattern for the vector registers of $("$compiler" -dumpmachine)" || return ;;
  esac
  objdump -d --no-show-raw-insn sum.o >sum.asm
  grep -q 'mul' sum.asm || fail "no multiplication: is that the checksum?" || return
  touched=$(grep -E -m 3 "$registers" sum.asm || true)
  [ -z "$touched" ] || fail "vector registers ($2):" $touched || return
  "$compiler" $flags $2 -DPAGEFOLD_NO_VECTORS -fno-exceptions -I "$1" driver.cpp sum.o -o driver || fail "it does not link" || return
  # A program for another processor's instructions can't run here, but its code has been looked at.
  case $2 in *-march=*) return ;; esac
  ./driver || fail "the checksum's value, or a path in vectors" || return
}

# $1: words of the refusal, $2: header, $3: an expression for sed, on the header in a copy of the library
plant_vectors() {
  rm -rf copy
  mkdir copy
  cp -R "$root/include/pagefold" copy/
  sed "$3" "$root/include/pagefold/$2" >"copy/pagefold/$2"
  ! cmp -s "$root/include/pagefold/$2" "copy/pagefold/$2" || { echo "nothing to plant: $3"; exit 1; }
  if check_no_vectors "$scratch/copy" -O2 >planted.log 2>&1; then
    echo "not refused: $2: $3"
    exit 1
  fi
  grep -q -E "refused: ($1)" planted.log || { echo "refused for another reason than '$1': $3"; cat planted.log; exit 1; }
}

case $what in
freestanding | vectors)
  check_freestanding "$root/include" "$here/program.cpp"
  ;;
planted)
  plant 'undefined symbols: outside$' core/bits.hpp '' \
    'extern "C" int outside(); extern "C" int plant() { return outside(); }'
  plant 'undefined symbols:.*_Znwm' core/bits.hpp '' 'int* plant() { return new int{1}; }'
  plant 'undefined symbols:.*pthread_self' core/bits.hpp \
    '#include <pthread.h>
     inline auto planted() { return pthread_self(); }' 'auto plant() { return planted(); }'
  plant 'it does not compile|undefined symbols: __(add|mul)df3' core/bits.hpp 'inline double planted(double x) { return x * 2; }' \
    'double plant(double x) { return planted(x); }'
  plant 'it does not compile' core/bits.hpp 'inline void planted() { throw 1; }' ''
  plant 'dynamic initialisation or thread-local data: .init_array' core/bits.hpp \
    'int planted(); int planted_value = planted();' 'int planted() { static volatile int x; return x; }'
  plant 'dynamic initialisation or thread-local data: .tbss' core/bits.hpp '' 'thread_local int plant;'
  plant 'freestanding.hpp leaves out: pagefold/core/planted.hpp' core/planted.hpp '#pragma once' ''
  plant 'freestanding.hpp reaches: pagefold/compress/lz4.hpp' freestanding.hpp '#include <pagefold/compress/lz4.hpp>' ''
  plant 'the program ends with status 9' freestanding.hpp '#define freestanding_main planted_main' \
    '#undef freestanding_main
     extern "C" int freestanding_main() { return 9; }'
  ;;
no_vectors)
  cat >sum.cpp <<'TEXT'
#include <pagefold/core/checksum.hpp>
extern "C" std::uint64_t sum_of(const std::byte* data, std::size_t size, std::uint64_t seed);
extern "C" std::uint64_t sum_of(const std::byte* data, std::size_t size, std::uint64_t seed) {
    return pagefold::checksum({data, size}, seed);
}
TEXT
  # Values of tests/unit/core/checksum.cpp.
  cat >driver.cpp <<'TEXT'
#include <pagefold/compress/page/path.hpp>
#include <cstddef>
extern "C" std::uint64_t sum_of(const std::byte* data, std::size_t size, std::uint64_t seed);
int main() {
    std::byte bytes[4096];
    for (std::size_t i = 0; i < sizeof bytes; ++i) {
        bytes[i] = static_cast<std::byte>(i * 7 + 3);
    }
    const bool is_good = sum_of(bytes, 0, 0) == 0xc33d8eb63416c1ed && sum_of(bytes, 63, 0) == 0x1d1029e00e683ae8 &&
                         sum_of(bytes, 65, 0x123456789abcdef0) == 0x79ce032708178738 &&
                         sum_of(bytes, 4096, 0x123456789abcdef0) == 0x29a8aad819a1e30b;
    const bool is_scalar = pagefold::available_features().bits() == 0 &&
                           pagefold::default_page_path() == pagefold::page_path::scalar;
    return is_good && is_scalar ? 0 : 1;
}
TEXT
  for level in -O1 -Os -O2 -O3; do
    check_no_vectors "$root/include" "$level"
  done
  case $("$compiler" -dumpmachine) in
  x86_64*)
    for march in x86-64-v3 x86-64-v4 znver3; do # these have vectors even more to a compiler's taste
      check_no_vectors "$root/include" "-O2 -march=$march"
      check_no_vectors "$root/include" "-O3 -march=$march"
    done
    ;;
  esac
  # The veto not heard: then the vectors of the checksum's own code, or those of the processor, are taken.
  plant_vectors 'vector registers' config/macros.hpp '1,/#pragma once/s/#pragma once/&\n#undef PAGEFOLD_NO_VECTORS/'
  # The checksum's own vectors, whatever the veto, as before there was core/cpu.hpp.
  [ "$(uname -m)" != x86_64 ] ||
    plant_vectors 'vector registers' core/checksum.hpp 's/#if PAGEFOLD_HAS_SSE2/#if defined(__SSE2__)/'
  # Anything in the checksum that a compiler wants such a register for.
  plant_vectors 'vector registers' core/checksum.hpp \
    's/return mix(a + data.size(), b);/return mix(a + static_cast<std::uint64_t>(1.5 * static_cast<double>(a)), b);/'
  ;;
alone)
  rm -rf alone
  mkdir alone
  (cd "$root/include" && find pagefold -name '*.hpp' | sort) >headers
  while read -r header; do
    case $header in # an adapter compiles where its library is installed
    */lzo.hpp) foreign=lzo/lzo1x.h ;;
    */zstd.hpp) foreign=zstd.h ;;
    */lz4.hpp) foreign=lz4.h ;;
    *) foreign=stddef.h ;;
    esac
    has_header "$foreign" || { echo "left out: $header"; continue; }
    printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"alone/$(echo "$header" | tr / _).cpp"
  done <headers
  "$compiler" $flags -fsyntax-only -I "$root/include" alone/*.cpp
  echo "$(wc -l <headers) headers compile alone"
  ;;
linked)
  printf '#include <pagefold/%s>\n' pagefold.hpp freestanding.hpp >one.cpp
  printf '#include <pagefold/%s>\n' freestanding.hpp pagefold.hpp >two.cpp
  echo 'int main() {}' >>two.cpp
  ! has_header zstd.h || flags="$flags -DPAGEFOLD_WITH_ZSTD=1"
  ! has_header lzo/lzo1x.h || flags="$flags -DPAGEFOLD_WITH_LZO=1"
  "$compiler" $flags -O0 -I "$root/include" one.cpp two.cpp -o linked
  ./linked
  ;;
*)
  echo "unknown: $what"
  exit 2
  ;;
esac
