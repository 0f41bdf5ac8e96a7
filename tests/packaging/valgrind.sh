#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   valgrind.sh COMPILER ROOT SCRATCH
#
# README's programs and a small store run under valgrind, which allows fewer addresses than a source reserves, and knows neither
# all system calls nor what a codec reads: no error, nothing leaked.
set -eu
compiler=$1 root=$2 scratch=$3
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/snippets.sh"
needs valgrind
programs "$root" "$scratch"
for source in *.cpp; do
  quietly "$compiler" -std=c++20 -g -O1 -I "$root/include" "$source" -o "${source%.cpp}" -pthread
  quietly valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=all "./${source%.cpp}"
  ! grep -q 'ERROR SUMMARY: [1-9]\|Invalid read\|Invalid write\|uninitialised' log || { cat log; exit 1; }
  echo "$source: no errors"
done
