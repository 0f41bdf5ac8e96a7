#!/bin/sh
# SPDX-License-Identifier: MIT
#
# SIGINT in the middle of each peer's run: status 130 soon, and no swap area, zram device, cgroup or file stays behind.
# interrupted.sh PROGRAM
set -u
program=$1
file=/var/tmp/paged_process.interrupted.$$
[ "$(id -u)" -eq 0 ] || { echo "skipped: the kernel's swap needs root"; exit 77; }

state() {
  cut -d ' ' -f 1 /proc/swaps
  cat /proc/sys/vm/page-cluster
  ls -d /sys/block/zram* /sys/fs/cgroup/memory/paged_process.* /sys/fs/cgroup/paged_process.* "$file" 2>/dev/null
}
trap 'rm -f "$file.out"' EXIT
before=$(state)
skipped=0
for peer in "--compare-zram" "--swapfile $file"; do
  # shellcheck disable=SC2086 # the option and its value are two words
  "$program" --mib 64 --seconds 1 $peer >"$file.out" 2>&1
  if grep -q 'is left out:' "$file.out"; then
    sed -n 's/^/skipped: /; /is left out:/p' "$file.out"
    skipped=1
    continue
  fi
  # shellcheck disable=SC2086
  "$program" --mib 64 --seconds 4 $peer >"$file.out" 2>&1 &
  child=$!
  # The pagefold run comes first: SIGINT is sent when the swap area is there.
  waited=0
  while [ "$(state)" = "$before" ]; do
    sleep 0.2
    waited=$((waited + 1))
    [ "$waited" -lt 300 ] || break
  done
  sleep 1
  kill -INT "$child"
  started=$(date +%s)
  wait "$child"
  status=$?
  if grep -q 'is left out:' "$file.out"; then
    sed -n 's/^/skipped: /; /is left out:/p' "$file.out"
    skipped=1
    continue
  fi
  if [ "$status" -ne 130 ] || [ $(($(date +%s) - started)) -gt 10 ]; then
    echo "$peer: status $status after $(($(date +%s) - started)) s"
    cat "$file.out"
    exit 1
  fi
  if [ "$(state)" != "$before" ]; then
    echo "$peer left something behind:"
    state
    exit 1
  fi
done
[ "$skipped" -eq 0 ] || exit 77
echo "nothing stays behind"
