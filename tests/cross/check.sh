#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   check.sh ROOT SCRATCH MACHINE: programs built by a cross compiler and run by an emulator: what a store does and what
#   its streams are on a machine of another kind; for aarch64 also with larger pages, and the NEON path of the page codec
set -eu
root=$1 scratch=$2 machine=$3
case $machine in
i386) compiler=i686-linux-gnu-g++ emulator=qemu-i386 ;;
armhf) compiler=arm-linux-gnueabihf-g++ emulator=qemu-arm ;;
*) compiler=$machine-linux-gnu-g++ emulator=qemu-$machine ;;
esac
command -v $compiler >/dev/null || { echo "skipped: no $compiler here"; exit 77; }
command -v $emulator >/dev/null || emulator=$emulator-static
command -v $emulator >/dev/null || { echo "skipped: no $emulator here"; exit 77; }

mkdir -p "$scratch"
build() {
  $compiler -std=c++20 -O1 -static -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
    -I "$root/include" -I "$root/tests" "$root/tests/cross/$1.cpp" -o "$scratch/$machine-$1" -pthread
}

build portable
$emulator "$scratch/$machine-portable"
if [ "$machine" = aarch64 ]; then
  for page in 16384 65536; do
    $emulator -p $page "$scratch/$machine-portable" >"$scratch/pages"
    cat "$scratch/pages"
    grep -q "the system's pages have $page bytes" "$scratch/pages"
  done
  build program
  $emulator "$scratch/$machine-program"
fi
