#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   check.sh ROOT SCRATCH: the NEON path of the page codec, by a cross compiler and an emulator
set -eu
root=$1 scratch=$2
compiler=aarch64-linux-gnu-g++
command -v $compiler >/dev/null || { echo "skipped: no $compiler here"; exit 77; }
for emulator in qemu-aarch64 qemu-aarch64-static ''; do
  [ -n "$emulator" ] || { echo "skipped: no qemu-aarch64 here"; exit 77; }
  ! command -v "$emulator" >/dev/null || break
done
mkdir -p "$scratch"
$compiler -std=c++20 -O2 -static -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
  -I "$root/include" -I "$root/tests" "$root/tests/cross/program.cpp" -o "$scratch/program"
"$emulator" "$scratch/program"
