#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   limits.sh COMPILER ROOT SCRATCH
#
# README's programs and a small store where the process may have few addresses (ulimit -v), little data (-d), few descriptors
# (-n), and as good as no locked memory (-l): they work as ever.
set -eu
compiler=$1 root=$2 scratch=$3
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/snippets.sh"
programs "$root" "$scratch"
for source in *.cpp; do
  quietly "$compiler" -std=c++20 -O1 -I "$root/include" "$source" -o "${source%.cpp}" -pthread
  for limit in 'v 1000000' 'v 200000' 'd 100000' 'd 50000' 'n 4' 'l 64'; do
    # shellcheck disable=SC2086,SC3045 # the option and its value are two words; every sh here has them
    # Descriptor 3 may be whoever's that runs this, and is all that -n 4 leaves for the loader.
    (exec 3>&- && ulimit -$limit && exec "./${source%.cpp}") >log 2>&1 || { echo "$source, ulimit -$limit:"; cat log; exit 1; }
  done
  echo "$source: works with each limit"
done
