#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   no_thread.sh PROGRAM ARGUMENT...
#
# Runs a program where no thread can be made, because its stack would take more addresses than there are: status 2 and one line
# that says so.
set -u
# shellcheck disable=SC3045 # every sh here has it
ulimit -s 200000000000 2>/dev/null || { echo 'skipped: the stack may not be so large here'; exit 77; }
errors=$("$@" 2>&1 >/dev/null)
status=$?
if [ "$status" -eq 77 ]; then
  echo "skipped: $1 lacks something on this machine"
  exit 77
fi
if [ "$status" -ne 2 ] || [ "$(echo "$errors" | wc -l)" -ne 1 ] || ! echo "$errors" | grep -q 'no thread'; then
  echo "status $status: $errors"
  exit 1
fi
echo "$errors"
