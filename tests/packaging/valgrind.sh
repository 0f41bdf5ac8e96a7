#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   valgrind.sh COMPILER ROOT SCRATCH
#
# What readme_programs.sh compiled into SCRATCH, under valgrind, which allows fewer addresses than a source reserves, and knows
# neither all system calls nor what a codec reads: no error, nothing leaked.
set -eu
scratch=$3
. "$(dirname "$0")/common.sh"
needs valgrind
cd "$scratch"
[ -x small_store ] || { echo "no programs in $scratch"; exit 1; }
for source in *.cpp; do
  valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=all "./${source%.cpp}" >valgrind.log 2>&1 ||
    { cat valgrind.log; exit 1; }
  ! grep -q 'ERROR SUMMARY: [1-9]\|Invalid read\|Invalid write\|uninitialised' valgrind.log || { cat valgrind.log; exit 1; }
  echo "$source: no errors"
done
