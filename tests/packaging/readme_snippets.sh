#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   readme_snippets.sh COMPILER ROOT SCRATCH
#
# Compiles and runs each ```cpp block of the two READMEs that is a whole program (one with an int main), so that what a
# newcomer copies works. Linked as pagefold::pagefold links: with no library.
set -eu
compiler=$1 root=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

found=0
for readme in README.md include/pagefold/README.md; do
  [ -e "$root/$readme" ] || continue
  prefix=$(echo "${readme%.md}" | tr / _)
  awk -v prefix="$prefix" '
    /^```cpp/ { inside = 1; text = ""; next }
    /^```/ && inside { inside = 0; if (text ~ /int main/) { file = prefix "_" ++count ".cpp"; printf "%s", text >file } next }
    inside { text = text $0 "\n" }' "$root/$readme"
  for snippet in "$prefix"_*.cpp; do
    [ -e "$snippet" ] || continue
    found=$((found + 1))
    echo "== $readme: $snippet"
    "$compiler" -std=c++20 -O1 -Wall -Wextra -I "$root/include" "$snippet" -o "${snippet%.cpp}" -pthread
    "./${snippet%.cpp}"
  done
done
[ "$found" -gt 0 ] || { echo "skipped: no whole program in the READMEs"; exit 77; }
