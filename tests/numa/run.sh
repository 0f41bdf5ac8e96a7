#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   run.sh SOURCE SCRATCH INIT MAKE_INITRD NODES
#
# INIT (guest.cpp, static) as the only program of a guest with so many memory nodes, under QEMU in software: of four the last
# two have memory and no processors. "bare": two nodes, and a third that has a processor and no memory. "offline": the second
# one's memory can be taken away. With 0 nodes it runs here, as it is.
set -eu
source=$1 scratch=$2 init=$3 make_initrd=$4 kind=$5
nodes=$kind
case $kind in bare | offline) nodes=2 ;; esac
skip() {
  echo "skipped: $*"
  exit 77
}
if [ "$nodes" -eq 0 ]; then
  exec "$init"
fi
command -v qemu-system-x86_64 >/dev/null 2>&1 || skip "no qemu-system-x86_64 (./run need qemu)"
kernel=$source/build/guest_kernel
why=$("$source/examples/qemu_guest/fetch_kernel" "$kernel") || skip "$why"
mkdir -p "$scratch"
"$make_initrd" "$init" "$scratch/initrd"

set -- -M q35 -accel tcg,tb-size=64 -nodefaults -display none -monitor none -serial stdio -no-reboot \
  -kernel "$kernel/vmlinuz" -initrd "$scratch/initrd"
case $kind in
bare) processors=3 ;;
*) processors=2 ;;
esac
set -- "$@" -smp "$processors"
if [ "$kind" = offline ]; then # a memory module: what is in it can be moved
  set -- "$@" -m 256M,slots=1,maxmem=1G -object memory-backend-ram,id=module,size=256M \
    -device pc-dimm,id=dimm,memdev=module,node=1
else
  set -- "$@" -m "$((nodes * 128))M"
fi
node=0
while [ "$node" -lt "$nodes" ]; do
  what=node,nodeid=$node,memdev=m$node
  size=128M
  if [ "$kind" = offline ]; then
    size=256M
    [ "$node" -eq 0 ] || what=node,nodeid=1
  fi
  if [ "$nodes" -eq 1 ]; then
    what=$what,cpus=0-1
  elif [ "$node" -lt "$processors" ]; then
    what=$what,cpus=$node
  fi
  [ "$kind-$node" = offline-1 ] || set -- "$@" -object "memory-backend-ram,id=m$node,size=$size"
  set -- "$@" -numa "$what"
  node=$((node + 1))
done
if [ "$kind" = bare ]; then # the third is nearer to the second
  set -- "$@" -numa node,nodeid=2,cpus=2
  for pair in 0,1,20 0,2,30 1,2,15; do
    IFS=, read -r from to far <<TEXT
$pair
TEXT
    set -- "$@" -numa "dist,src=$from,dst=$to,val=$far"
  done
fi
if [ "$nodes" -eq 4 ]; then # in a row, so that nearest means something
  for pair in 0,1,15 0,2,20 0,3,25 1,2,17 1,3,22 2,3,15; do
    IFS=, read -r from to far <<TEXT
$pair
TEXT
    set -- "$@" -numa "dist,src=$from,dst=$to,val=$far"
  done
fi
# quiet: else the serial line takes longer than all else. panic=-1 and -no-reboot: a guest that fails ends.
status=0
timeout -s KILL 110 qemu-system-x86_64 "$@" -append "console=ttyS0 quiet panic=-1 memhp_default_state=online_movable nodes=$nodes kind=$kind" >"$scratch/log" 2>&1 ||
  status=$?
# For benchmarks/plots/numa.gp.
tr -d '\r' <"$scratch/log" | sed -n 's/^sample: //p' | sort -n >"$scratch/numa.dat"
tr -d '\r' <"$scratch/log" | sed -n 's/^phase: \([0-9]*\) \(.*\)/\1\t\2/p' >"$scratch/numa_phases.dat"
grep -a '^numa: ' "$scratch/log" || { cat "$scratch/log"; echo "QEMU: $status"; exit 1; }
grep -aq '^numa: ok' "$scratch/log" || { cat "$scratch/log"; exit 1; }
