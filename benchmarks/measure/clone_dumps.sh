#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   clone_dumps.sh MEASURE CORPUS SCRATCH
#
# pagefold_measure over dumps: it finds the pages that clones changed, and refuses dumps that aren't of one size.
set -eu
measure=$1 corpus=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch/dumps"
cd "$scratch"

fail() {
  echo "$*"
  cat log
  exit 1
}
measured() { "$measure" --corpus "$corpus" --only clones --quick --rounds 1 --clones dumps >log 2>&1; }
has() { grep -Eq "^clones\.$1 +$2( |\$)" log || fail "no line: $1 $2"; }
# write FILE PAGE BYTE: one byte of a page.
write() { printf 'w' | dd of="$1" bs=1 seek=$(($2 * 4096 + $3)) conv=notrunc 2>/dev/null; }

measured && fail "there was no template"
# All pages differ, and none is same-filled.
: >dumps/template.pages
i=0
while [ $i -lt 48 ]; do
  { printf '%08d%04088d' $i 7; } >>dumps/template.pages
  i=$((i + 1))
done
measured && fail "there were no clones"
for name in clone_1 clone_2 idle_1; do
  cp dumps/template.pages dumps/$name.pages
done
i=0
while [ $i -lt 40 ]; do # deltas
  write dumps/clone_1.pages $i 2000
  i=$((i + 1))
done
dd if=dumps/template.pages of=dumps/clone_2.pages bs=4096 count=3 seek=40 conv=notrunc 2>/dev/null # three references by content
write dumps/idle_1.pages 5 100
measured || fail "whole dumps were refused"
has pages 43.000
has delta_pages 40.000
has reference_pages 3.000
has template_pages_not_same_filled 48.000
has idle_changed_pages 1.000
has idle_clone_bytes '[0-9.]+'
has delta_decode_over_lz4 '[0-9.]+'

rm dumps/idle_1.pages
measured || fail "dumps without an idle clone were refused"
grep -q idle log && fail "there was no idle clone"
head -c 100000 dumps/template.pages >dumps/clone_2.pages
measured && fail "a short dump was taken"
grep -q 'clone_2.pages' log || fail "it isn't said which dump is short"
