#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   readme_snippets.sh COMPILER ROOT SCRATCH
#
# Compiles and runs each ```cpp block of the two READMEs that is a whole program (one with an int main), so that what a
# newcomer copies works. Linked as pagefold::pagefold links: with no library.
set -eu
compiler=$1 root=$2 scratch=$3
. "$(dirname "$0")/snippets.sh"
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

snippets "$root"
for snippet in *.cpp; do
  [ -e "$snippet" ] || { echo "skipped: no whole program in the READMEs"; exit 77; }
  echo "== $snippet"
  "$compiler" -std=c++20 -O1 -Wall -Wextra -I "$root/include" "$snippet" -o "${snippet%.cpp}" -pthread
  "./${snippet%.cpp}"
done
