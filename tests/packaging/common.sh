# SPDX-License-Identifier: MIT
#
# For the scripts of this folder, which set `scratch` to a folder of their own.
# shellcheck disable=SC2154

# quietly COMMAND...: its output is in $scratch/log, and is shown when it fails, which ends the test.
quietly() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }; }

skip() {
  echo "skipped: $*"
  exit 77
}

# needs PROGRAM...
needs() {
  for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 || skip "$program is not here"
  done
}

# venv FOLDER PACKAGE...
#
# Tools from PyPI that the system may lack or have too new, in a virtual environment of the test's own. It stays for the
# next run. Where it can't be had, the test is skipped and says why.
venv() {
  folder=$1
  shift
  [ ! -e "$folder/complete" ] || return 0
  needs python3
  rm -rf "$folder"
  python3 -m venv "$folder" >"$scratch/log" 2>&1 || { cat "$scratch/log"; skip "python3 has no venv"; }
  "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 "$@" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; skip "PyPI does not give $*"; }
  : >"$folder/complete"
}

# readme_block README LANGUAGE WORD
#
# Prints the block of the README's section on package managers that is in LANGUAGE and has WORD in it, so that a test runs
# what the README says. Without such a block the test fails.
readme_block() {
  awk -v language="$2" -v word="$3" '
    /^## / { inside_section = $0 == "## With a package manager" }
    inside_section && $0 == "```" language { inside = 1; text = ""; next }
    /^```/ && inside { inside = 0; if (index(text, word)) { printf "%s", text; ++found } next }
    inside { text = text $0 "\n" }
    END { if (found != 1) { print "blocks with " word ": " found + 0 >"/dev/stderr"; exit 1 } }' "$1"
}

# import_pagefold FILE: prints a program that includes pagefold.hpp as one that imports the module instead.
import_pagefold() {
  awk '/^#include <pagefold\/pagefold.hpp>$/ { next } /^namespace/ && !done { print "import pagefold;\n"; done = 1 } { print }' "$1"
}

# copy_tree SOURCE FOLDER: what of the tree is committed or could be; all but build/ where it is no checkout. The copy is a
# repository of its own where git is here, or it would be seen as ignored by one around it.
copy_tree() {
  mkdir -p "$2"
  if [ -e "$1/.git" ] && command -v git >/dev/null 2>&1; then
    (cd "$1" && git -c safe.directory='*' ls-files -co --exclude-standard) | while read -r file; do
      if [ -e "$1/$file" ]; then echo "$file"; fi
    done >"$2.files"
  else
    (cd "$1" && find . -path ./build -prune -o -type f -print) >"$2.files"
  fi
  (cd "$1" && tar -cf - -T "$2.files") | tar -xf - -C "$2"
  if command -v git >/dev/null 2>&1; then git -C "$2" init -q; fi
}
