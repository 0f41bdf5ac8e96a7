#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: interrupted.sh RUN BUILT
#
# While a paged guest runs: SIGINT ends all and says so, SIGKILL ends all. No guest and no handler is left.
set -eu

children() { cat "/proc/$1/task/$1/children"; }
# Those of some processes that have not ended; one that only waits for init to take note of it has.
living() {
  for pid in "$@"; do
    sed -n 's/^State:[^A-Z]*\([^ZX]\) .*/'"$pid"'/p' "/proc/$pid/status" 2>/dev/null || true
  done
}
names() { for pid in $(children "$1"); do cat "/proc/$pid/comm"; done; }
fail() {
  echo "SIG$signal: $*"
  cat "$log"
  exit 1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for signal in INT KILL; do
  "$1" --built "$2" --mib 128 --fill 32 --accesses 1000 --seconds 60 >"$log" 2>&1 &
  program=$!
  # The first of its guests runs without a handler.
  tries=0
  until names $program 2>/dev/null | tr '\n' ' ' | grep -q 'vm_pager .*qemu'; do
    if ! kill -0 $program 2>/dev/null; then
      status=0
      wait $program || status=$?
      [ $status -ne 77 ] || { cat "$log" && exit 77; }
      fail "it ended by itself with $status"
    fi
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "no paged guest within a minute"
    sleep 0.1
  done
  sleep 0.5
  all=$(children $program)
  kill -$signal $program
  status=0
  wait $program || status=$?
  case $signal:$status in
  INT:130 | KILL:137) ;;
  *) fail "status $status" ;;
  esac
  tries=0
  until left=$(living $all) && [ -z "$left" ]; do
    tries=$((tries + 1))
    [ $tries -lt 30 ] || fail "left: $left"
    sleep 0.1
  done
done
