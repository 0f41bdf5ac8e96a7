#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Descriptors, addresses and memory from too few to enough: status 2 and one line that names the cause, until it works.
# shortages.sh PROGRAM
set -u
program=$1
"$program" --mib 16 --seconds 1 >/dev/null 2>&1
[ $? -ne 77 ] || { echo 'skipped: this machine has no userfaultfd'; exit 77; }

# ends_well OPTION OF ULIMIT, FIRST, STEP, LAST, WORD: the word has to be in some of the lines.
ends_well() {
  limit=$2
  seen=
  while [ "$limit" -le "$4" ]; do
    errors=$( (ulimit "$1" "$limit" && exec "$program" --mib 64 --seconds 1 --faults thread) 2>&1 >/dev/null)
    status=$?
    case $status in
    0)
      [ -n "$seen" ] || { echo "ulimit $1 $limit: nothing named $5"; return 1; }
      echo "ulimit $1 $limit: works"
      return 0
      ;;
    127) ;; # the loader finds no room for the libraries
    2)
      [ "$(echo "$errors" | wc -l)" -eq 1 ] || { echo "ulimit $1 $limit: $errors"; return 1; }
      ! echo "$errors" | grep -q "$5" || seen=yes
      ;;
    *) echo "ulimit $1 $limit: status $status: $errors"; return 1 ;;
    esac
    limit=$((limit + $3))
  done
  echo "ulimit $1 $4: still refused: $errors"
  return 1
}

ends_well -n 4 1 20 RLIMIT_NOFILE || exit 1
# A sanitizer has terabytes of addresses of its own, and ends where it can't have its data.
# shellcheck disable=SC3045 # every sh here has it
if (ulimit -v 4000000 && "$program" --help >/dev/null 2>&1); then
  ends_well -d 200 2000 400000 'RLIMIT_DATA\|no memory' || exit 1
  ends_well -v 20000 2000 4000000 RLIMIT_AS || exit 1
fi
