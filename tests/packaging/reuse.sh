#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   reuse.sh SOURCE SCRATCH
#
# Every file has a copyright and a licence that a tool finds (REUSE), and what can say its licence itself does. reuse is the
# system's, or comes from PyPI.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2
. "$here/common.sh"
mkdir -p "$scratch"
rm -rf "$scratch/tree"
copy_tree "$source" "$scratch/tree"
cd "$scratch/tree"

# The text is LICENSE's. .reuse/dep5 covers every file: one from elsewhere would go under it unseen if it had no line.
cmp LICENSE LICENSES/MIT.txt
find . '(' -name .git -o -name LICENSES ')' -prune -o -type f '(' -name '*.[chS]' -o -name '*.[ch]pp' -o -name '*.cppm' \
  -o -name '*.cmake' -o -name 'CMakeLists.txt' -o -name '*.sh' -o -name '*.py' -o -name '*.awk' -o -name '*.gp' \
  -o -name '*.ld' -o -name 'meson*' -o -name run ')' -print >"$scratch/speaking"
while read -r file; do
  head -n 5 "$file" | grep -q 'SPDX-License-''Identifier: ' || echo "$file"
done <"$scratch/speaking" >"$scratch/silent"
if grep . "$scratch/silent"; then
  echo "these say no licence"
  exit 1
fi

if ! command -v reuse >/dev/null 2>&1; then
  venv "$scratch/venv" 'reuse>=5,<7'
  PATH=$scratch/venv/bin:$PATH
fi
quietly reuse lint
count=$(sed -n 's,^\* Files with license information: \([0-9]*\) / .*,\1,p' "$scratch/log")
grep -i 'files with' "$scratch/log"
# Texts of licences, dep5 itself and empty files are not counted.
[ "$count" -ge "$(($(wc -l <"$scratch/tree.files") * 9 / 10))" ]

# It sees a file that is not ours to license.
printf '// SPDX-License-%s: %s\n' Identifier GPL-2.0-or-later >include/foreign.hpp
if reuse lint >"$scratch/log" 2>&1; then
  cat "$scratch/log"
  echo "a foreign licence was not seen"
  exit 1
fi
