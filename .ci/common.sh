# SPDX-License-Identifier: MIT
#
# For the scripts of this folder, which are run in bash: legs, and what all of them count. Sets `root`, `reports` and `jobs`.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
jobs=$(nproc)
reports=$root/build/ci
rm -rf "$reports"
mkdir -p "$reports"

passed=0 failed=0 skipped=0

# leg NAME FUNCTION: counts the ctest report that the function leaves, or the function itself when it leaves none.
leg() {
  local name=$1 started=$SECONDS status=0
  report=$reports/$name.xml
  echo "== $name"
  # In a subshell outside any condition, where set -e holds.
  set +e
  (
    set -e
    "$2"
  )
  status=$?
  set -e
  local tests=0 bad=0 left_out=0
  if [ -e "$report" ]; then
    tests=$(counter tests) bad=$(counter failures) left_out=$(($(counter skipped) + $(counter disabled)))
  fi
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    bad=1 tests=$((tests + 1))
  elif [ "$tests" -eq 0 ]; then
    tests=1
  fi
  passed=$((passed + tests - bad - left_out)) failed=$((failed + bad)) skipped=$((skipped + left_out))
  [ "$bad" -eq 0 ] || echo "== $name FAILED"
  echo "== $name took $((SECONDS - started)) s"
}

# An attribute of the report's first element.
counter() { grep -o -m 1 "$1=\"[0-9]*\"" "$report" | head -n 1 | tr -dc 0-9; }

# build FOLDER [CMAKE ARGUMENT...]: in build/FOLDER
build() {
  local tree=$root/build/$1
  shift
  cmake -S "$root" -B "$tree" -DPAGEFOLD_WERROR=ON "$@" >"$reports/cmake.log" || { cat "$reports/cmake.log"; return 1; }
  cmake --build "$tree" --parallel "$jobs" >"$reports/build.log" 2>&1 || { cat "$reports/build.log"; return 1; }
}
# run_tests FOLDER [CTEST ARGUMENT...]
run_tests() {
  local tree=$root/build/$1
  shift
  ctest --test-dir "$tree" --output-on-failure --no-tests=error --parallel "$jobs" --output-junit "$report" "$@"
}
# build_and_test FOLDER [CMAKE ARGUMENT...]
build_and_test() {
  build "$@"
  run_tests "$1"
}

# The last line of a script: the sum, and its status.
sum_up() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}
