#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   limits.sh COMPILER ROOT SCRATCH
#
# What readme_programs.sh compiled into SCRATCH, where the process may have few addresses (ulimit -v), little data (-d), few
# descriptors (-n), and as good as no locked memory (-l): it works as ever.
set -eu
cd "$3"
[ -x small_store ] || { echo "no programs in $3"; exit 1; }
for source in *.cpp; do
  for limit in 'v 1000000' 'v 200000' 'd 100000' 'd 50000' 'n 4' 'l 64'; do
    # shellcheck disable=SC2086,SC3045 # the option and its value are two words; every sh here has them
    # Descriptor 3 may be whoever's that runs this, and is all that -n 4 leaves for the loader.
    (exec 3>&- && ulimit -$limit && exec "./${source%.cpp}") >limits.log 2>&1 || {
      echo "$source, ulimit -$limit:"
      cat limits.log
      exit 1
    }
  done
  echo "$source: works with each limit"
done
