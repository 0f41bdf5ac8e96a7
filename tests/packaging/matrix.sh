#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   matrix.sh SOURCE SCRATCH COMPILER LEG
#
# What others compile our headers with: a program of two units (matrix/), which keeps pages in stores of every allocator,
# policy, codec and lock, is built in the way of the leg, linked, and run. The headers are found by -I, as where a project
# takes us by add_subdirectory, so that its warnings are about us, too; each is an error here. Machines of other kinds, i386
# among them, are in tests/cross, hosts without a C library in tests/freestanding.
#
#   warnings          all that make sense, of the kind that needs no optimiser
#   O0 ... O3 Os Og   the ones that need it, at this level
#   lto               the same when the units are linked
#   c++20, gnu++23... a standard; c++26 is what the compiler calls it
#   bare              without exceptions, type information and what the language says of aliases
#   hardened          what distributions harden their programs with, and checks in the standard library
#   debug_library     the standard library's debug mode
#   libc++            the other standard library, with its checks
#   address, thread   the sanitizers; undefined behaviour goes with the first
#   musl              another C library: its headers, with this compiler's C++ ones; linked where musl-gcc is
set -eu
source=$1 scratch=$2 compiler=$3 leg=$4
. "$(dirname "$0")/common.sh"
needs "$compiler"
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

case $("$compiler" --version) in
*clang*) kind=clang ;;
*) kind=gcc ;;
esac

# Of -Weverything all but: what a C++20 library can't be, how large structs are, what C is, what contradicts -Wswitch-default,
# and the C library's own macros.
everything='-Weverything -Wno-unknown-warning-option -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-pre-c++17-compat
  -Wno-pre-c++20-compat-pedantic -Wno-c++20-compat -Wno-padded -Wno-unsafe-buffer-usage -Wno-covered-switch-default
  -Wno-disabled-macro-expansion'
strict='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wfloat-conversion -Wdouble-promotion -Wshadow -Wsign-promo
  -Weffc++ -Wswitch-default -Wswitch-enum -Wuseless-cast -Wold-style-cast -Wcast-qual -Wcast-align=strict -Wundef
  -Wunused-macros -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wmissing-declarations -Wredundant-decls -Wredundant-tags
  -Wmismatched-tags -Wextra-semi -Wsuggest-override -Wnon-virtual-dtor -Woverloaded-virtual -Wctor-dtor-privacy
  -Wdeprecated-copy-dtor -Wpointer-arith -Wformat=2 -Wcomma-subscript -Wvolatile -Wvla -Walloca -Wdate-time'
case $kind in
clang) flow='-Wall -Wextra -Wconditional-uninitialized' ;;
*) flow='-Wall -Wextra -Wnull-dereference -Wmaybe-uninitialized -Warray-bounds=2 -Wstringop-overflow=4' ;;
esac

# The foreign codecs that are here.
codecs=
libraries=
if echo '#include <lz4.h>' | "$compiler" -E -x c++ - >/dev/null 2>&1; then libraries=-llz4; fi
add_codec() { # HEADER MACRO LIBRARY
  if echo "#include <$1>" | "$compiler" -E -x c++ - >/dev/null 2>&1; then
    codecs="$codecs -D$2=1" libraries="$libraries $3"
  fi
}
[ "$leg" = musl ] || { add_codec zstd.h PAGEFOLD_WITH_ZSTD -lzstd && add_codec lzo/lzo1x.h PAGEFOLD_WITH_LZO -llzo2; }

# compile OPTION...: a unit; link OPTION...; takes OPTION...: whether the compiler has them, and what they need.
compile() { "$compiler" -pthread -I "$source/include" $codecs -Werror "$@"; }
units() {
  for unit in one_unit other_unit; do
    compile "$@" -c "$source/tests/packaging/matrix/$unit.cpp" -o $unit.o
  done
}
link() { "$compiler" -pthread -Werror one_unit.o other_unit.o $libraries "$@" -o program; }
takes() {
  echo '#include <cstdio>
    int main() { return std::puts("") < 0; }' >probe.cpp
  "$compiler" "$@" probe.cpp -o probe >log 2>&1 && ./probe >log 2>&1
}
build_and_run() {
  units -std=c++20 "$@"
  link "$@"
  ./program
}

case $leg in
warnings)
  if [ $kind = clang ]; then set -- $everything; else set -- $strict; fi
  units -std=c++20 -fsyntax-only "$@"
  # The leg can fail: of what another's header does wrong it says so.
  printf '#pragma once\ninline int lost(long n) { return (int)n; }\n' >lossy.hpp
  echo '#include "lossy.hpp"' >user.cpp
  ! compile -std=c++20 -fsyntax-only "$@" user.cpp 2>log || { echo "the warnings are not on"; exit 1; }
  ;;
O[0-3sg]) build_and_run "-$leg" $flow ;;
lto)
  lto=-flto
  [ $kind = clang ] || lto=-flto=auto
  takes -O2 $lto || skip "$compiler links no units optimised together here"
  build_and_run -O2 $lto $flow
  ;;
c++* | gnu++*)
  standard=$leg
  takes "-std=$standard" || standard=$(echo "$leg" | sed 's/23/2b/; s/26/2c/')
  takes "-std=$standard" || skip "$compiler has no $leg"
  units "-std=$standard" -fsyntax-only -Wall -Wextra -Wpedantic
  ;;
bare) build_and_run -O1 -fno-exceptions -fno-rtti -fno-strict-aliasing -fno-threadsafe-statics -fvisibility=hidden ;;
hardened)
  set -- -O2 -U_FORTIFY_SOURCE -D_GLIBCXX_ASSERTIONS -fstack-protector-strong -fPIE
  for option in -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=pattern; do
    if takes -O2 -Werror $option; then set -- "$@" $option; fi
  done
  build_and_run "$@"
  ;;
debug_library) build_and_run -O1 -D_GLIBCXX_DEBUG -D_GLIBCXX_DEBUG_PEDANTIC ;;
libc++)
  takes -Werror -stdlib=libc++ || skip "$compiler has no libc++ of its age here"
  build_and_run -O1 -stdlib=libc++ -D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_DEBUG -Wall -Wextra
  ;;
address | thread)
  sanitizers=$leg
  [ $leg = thread ] || sanitizers=address,undefined
  takes -fsanitize=$sanitizers || skip "$compiler has no runtime of -fsanitize=$sanitizers here"
  build_and_run -O1 -g1 -fsanitize=$sanitizers -fno-sanitize-recover=all
  ;;
musl)
  needs musl-gcc
  musl=$(musl-gcc -print-file-name=libc.a)
  headers=/usr/include/$(uname -m)-linux-musl
  [ -e "$headers/features.h" ] || headers=$(dirname "$(dirname "$musl")")/include
  [ -e "$headers/features.h" ] || skip "musl's headers are not found"
  # The kernel's headers, which belong to no C library, and the compiler's own and C++ ones. Nothing else of this system's.
  mkdir kernel
  for folder in linux asm asm-generic; do
    found=$(echo "#include <$folder/errno.h>" | "$compiler" -E -x c++ - | sed -n "s,^# 1 \"\(.*/$folder\)/errno.h\".*,\1,p" | head -n 1)
    ln -s "${found:?}" kernel/$folder
  done
  # Names of glibc's that this libstdc++ was configured for, and mentions in what we don't use.
  cat >configured.hpp <<'C'
#define __locale_t locale_t
#define __GLIBC_PREREQ(major, minor) 0
enum { _ISupper = 1, _ISlower = 2, _ISalpha = 4, _ISdigit = 8, _ISxdigit = 16, _ISspace = 32, _ISprint = 64, _ISblank = 256,
       _IScntrl = 512, _ISpunct = 1024 };
C
  set -- -nostdinc -include configured.hpp
  for folder in $("$compiler" -E -v -x c++ /dev/null 2>&1 >/dev/null | sed -n '/#include </,/^End/s/^ //p'); do
    case $folder in */c++/*) set -- "$@" -isystem "$folder" ;; esac
  done
  set -- "$@" -isystem "$headers" -isystem "$("$compiler" -print-file-name=include)" -isystem kernel
  libraries=
  units -std=c++20 -O0 -fno-exceptions -fno-rtti -Wall -Wextra -Wconversion -Wsign-conversion "$@"
  ! nm -u one_unit.o other_unit.o | grep -E '__GLIBC|_chk$|__libc_|__register_atfork' || { echo "that is glibc's"; exit 1; }
  musl-gcc -static one_unit.o other_unit.o "$("$compiler" -print-file-name=libstdc++.a)" -o program
  ./program
  ;;
*)
  echo "unknown leg: $leg"
  exit 2
  ;;
esac
