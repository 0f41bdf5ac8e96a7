#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the kernel and boots it in QEMU; see --help.
# shellcheck disable=SC2086 # lists of flags are meant to be split
set -eu
export LC_ALL=C

usage() {
  cat <<'TEXT'
usage: boot.sh [OPTION]...

Builds a kernel that embeds a pagefold store and boots it in QEMU; what it
prints on its serial line goes to stdout.

  --compiler C   g++ (default) or clang++, or another name of one
  --build DIR    where to build (default build/freestanding_kernel in the
                 source tree, with a folder for each compiler)
  --memory MIB   of the machine, from 12 to 128 (default 16)
  --plant WHAT   a fault that the kernel must find: stream, page, assertion,
                 wild
  --no-boot      build only
  --help         this

Ends with 0 when the kernel says that every page was right, 1 when it does not
(or says nothing for 120 s), 2 for a mistake, 77 where the machine lacks the
compiler or QEMU.
TEXT
}

refuse() {
  echo "boot.sh: $*" >&2
  exit 2
}
skip() {
  echo "freestanding_kernel is skipped: $*"
  exit 77
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
compiler=g++ build='' memory=16 plant='' boots=true
while [ $# -gt 0 ]; do
  case $1 in
  --help | -h)
    usage
    exit 0
    ;;
  --no-boot)
    boots=false
    shift
    continue
    ;;
  --compiler | --build | --memory | --plant) [ $# -gt 1 ] || refuse "$1: it takes a value (see --help)" ;;
  *) refuse "$1: no such option (see --help)" ;;
  esac
  case $1 in
  --compiler) compiler=$2 ;;
  --build) build=$2 ;;
  --memory) memory=$2 ;;
  --plant) plant=$2 ;;
  esac
  shift 2
done
case $memory in
'' | *[!0-9]* | ?????*) refuse "--memory $memory: not a number from 12 to 128" ;;
esac
[ "$memory" -ge 12 ] && [ "$memory" -le 128 ] || refuse "--memory $memory: not a number from 12 to 128"
case $plant in
'' | stream | page | assertion | wild) ;;
*) refuse "--plant $plant: not stream, page, assertion or wild" ;;
esac
command -v "$compiler" >/dev/null || skip "no $compiler here (./run need clang installs clang++)"
[ "$(uname -m)" = x86_64 ] || [ "${compiler#x86_64}" != "$compiler" ] || skip "$compiler is not known to build for x86-64"
[ -n "$build" ] || build=$root/build/freestanding_kernel
folder=$build/$(basename "$compiler")
mkdir -p "$folder"

# --- Building ----------------------------------------------------------------------------------------------------------

warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
target='-mno-red-zone -mno-sse -mno-mmx -mgeneral-regs-only -fno-pic'
language='-ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-stack-protector -fno-asynchronous-unwind-tables'
objects=
for source in "$here"/*.cpp; do
  object=$folder/$(basename "$source" .cpp).o
  objects="$objects $object"
  # -MMD: a file is compiled again when it or a header of its own has changed.
  if [ -e "$object" ] && [ -e "${object%.o}.d" ] &&
    [ -z "$(sed 's/^[^:]*://; s/\\$//' "${object%.o}.d" | xargs -n 64 sh -c 'find "$@" -newer "$0" 2>&1' "$object")" ]; then
    continue
  fi
  ${PAGEFOLD_COMPILER_LAUNCHER:-} "$compiler" -std=c++20 -O2 $warnings $target $language -I "$root/include" -MMD -c "$source" -o "$object"
done
"$compiler" -c "$here/boot.S" -o "$folder/boot.o"
"$compiler" -nostdlib -static -Wl,-T,"$here/kernel.ld" -Wl,--build-id=none $objects "$folder/boot.o" -o "$folder/kernel.elf"
wants=$(nm -u "$folder/kernel.elf")
[ -z "$wants" ] || { echo "boot.sh: the kernel wants $wants" >&2; exit 1; }
$boots || exit 0

# --- Booting -----------------------------------------------------------------------------------------------------------

command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64 here (./run need qemu installs it)"
set +e
timeout -s KILL 120 qemu-system-x86_64 -M q35 -accel tcg -m "${memory}M" -nodefaults -display none -no-reboot \
  -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=1 -kernel "$folder/kernel.elf" ${plant:+-append "plant=$plant"} \
  </dev/null
status=$?
set -e
# isa-debug-exit: 33 is the kernel's success, 35 its failure. 0 is a machine that was reset, by a triple fault.
[ "$status" -eq 33 ] || { echo "boot.sh: the machine ended with status $status, not 33" >&2; exit 1; }
