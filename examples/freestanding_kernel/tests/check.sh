#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   check.sh COMPILER SCRATCH {builds|boots|planted|refusals}
#
# builds    the kernel is built; the others use it.
# boots     it boots, verifies itself and ends with success; what it prints has every part.
# planted   proves that by planting faults that it must find, each told for what it is.
# refusals  what is no run: status 2, one line on stderr, nothing on stdout.
set -eu
export LC_ALL=C
compiler=$1 scratch=$2 what=$3
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=$scratch/$what-$compiler.out
errors=$scratch/$what-$compiler.err
mkdir -p "$scratch"

# expect STATUS ARGUMENT...
expect() {
  wanted=$1 status=0
  shift
  sh "$here/../boot.sh" "$@" >"$out" 2>"$errors" || status=$?
  [ "$status" -ne 77 ] || [ "$wanted" -eq 77 ] || { cat "$out"; exit 77; }
  [ "$status" -eq "$wanted" ] || { echo "boot.sh $*: status $status, not $wanted"; cat "$out" "$errors"; exit 1; }
}
expect_line() {
  grep -q -E "$1" "$out" || { echo "no line '$1' in:"; cat "$out"; exit 1; }
}
boot() {
  status=$1
  shift
  expect "$status" --compiler "$compiler" --build "$scratch" "$@"
}
refused() {
  expect 2 "$@"
  [ ! -s "$out" ] || { echo "boot.sh $*: it prints"; cat "$out"; exit 1; }
  [ "$(wc -l <"$errors")" -eq 1 ] || { echo "boot.sh $*: not one line"; cat "$errors"; exit 1; }
}

case $what in
builds)
  boot 0 --no-boot
  ;;
boots)
  boot 0
  cat "$out"
  expect_line '^default_config \(lz_block\) over a static_source$'
  expect_line '^page codec \(scalar\) over the frame allocator$'
  [ "$(grep -c -E '^  store full: [1-9][0-9]* evictions refused, pages stayed$' "$out")" -eq 2 ]
  [ "$(grep -c -E '^  corrupt streams told: an anonymous page, and one of the page cache' "$out")" -eq 2 ]
  [ "$(grep -c -E '^    faults [0-9]+: [1-9][0-9]* zeros, [1-9][0-9]* from the store, [1-9][0-9]* from the file$' "$out")" -eq 4 ]
  [ "$(grep -c -E '^    stack: put [1-9]' "$out")" -eq 2 ]
  expect_line '^kernel: every page was right, every frame came back$'
  ;;
planted)
  boot 1 --plant stream
  expect_line "^kernel: page [0-9]+ can't be brought: corrupt$"
  boot 1 --plant page
  expect_line '^kernel: panic: page [0-9]+ has wrong bytes$'
  boot 1 --plant assertion
  expect_line '^kernel: panic: assertion failed: .*frame_allocator.hpp:[0-9]+\)$'
  boot 1 --plant wild
  expect_line '^kernel: panic: a page fault that nobody serves$'
  ;;
refusals)
  refused --frobnicate
  refused --memory
  for number in 11 129 x -1 '' 99999999999; do
    refused --memory "$number"
  done
  refused --plant everything
  expect 77 --compiler no-such-compiler
  expect_line '^freestanding_kernel is skipped: no no-such-compiler here'
  ;;
*)
  echo "unknown: $what"
  exit 2
  ;;
esac
