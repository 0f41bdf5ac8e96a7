# SPDX-License-Identifier: MIT
#
# snippets ROOT: each ```cpp block of the two READMEs that is a whole program (one with an int main), as a file here.
snippets() {
  for readme in README.md include/pagefold/README.md; do
    [ -e "$1/$readme" ] || continue
    awk -v prefix="$(echo "${readme%.md}" | tr / _)" '
      /^```cpp/ { inside = 1; text = ""; next }
      /^```/ && inside { inside = 0; if (text ~ /int main/) { file = prefix "_" ++count ".cpp"; printf "%s", text >file } next }
      inside { text = text $0 "\n" }' "$1/$readme"
  done
}

# programs ROOT SCRATCH: those, and a small store, as the only files of SCRATCH, where the script goes on.
programs() {
  rm -rf "$2"
  mkdir -p "$2"
  cd "$2"
  snippets "$1"
  cp "$1/tests/packaging/small_store/main.cpp" small_store.cpp
}
