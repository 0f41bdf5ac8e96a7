#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   readme_programs.sh COMPILER ROOT SCRATCH
#
# README's programs and a small store, compiled into SCRATCH for limits.sh and valgrind.sh.
set -eu
compiler=$1 root=$2 scratch=$3
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/snippets.sh"
programs "$root" "$scratch"
for source in *.cpp; do
  quietly "$compiler" -std=c++20 -g -O1 -I "$root/include" "$source" -o "${source%.cpp}" -pthread
  echo "$source: compiled"
done
