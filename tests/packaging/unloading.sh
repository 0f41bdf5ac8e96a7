#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   unloading.sh SOURCE SCRATCH COMPILER
#
# A shared object with regions of faults by signal that is loaded, used and closed: see mixed_units/unloading.cpp. Once with all
# names visible, and once with none. And a static program, in which nothing can be loaded, links without a word.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
needs "$compiler"
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

build() { quietly "$compiler" -std=c++20 -O1 -Wall -Wextra -Werror -pthread -I "$source/include" "$@"; }

# A unique symbol, which g++ makes, would keep the library loaded by itself.
case $compiler in
  *clang++*) unique= ;;
  *) unique=-fno-gnu-unique ;;
esac

build "$here/mixed_units/unloading.cpp" -o program -ldl
for visibility in default hidden; do
  # shellcheck disable=SC2086
  build $unique -fvisibility=$visibility -fPIC -shared -DTURNS_UNIT=unit "$here/mixed_units/turns_unit.cpp" \
    -o "./$visibility.so"
  for path in "./$visibility.so" "$scratch/$visibility.so"; do
    status=0
    ./program "$path" || status=$?
    [ $status -eq 0 ] || { echo "$compiler, $path: $status"; exit 1; }
  done
done

cat >static.cpp <<'C'
#include <pagefold/hosted/sigbus_router.hpp>
static int value;
int main() { return pagefold::keep_loaded(&value) ? 1 : 0; }
C
build static.cpp -o dynamic
./dynamic
if printf 'int main() { return 0; }\n' >probe.cpp && "$compiler" -static probe.cpp -o probe 2>"$scratch/log"; then
  build -static static.cpp -o static -Wl,--fatal-warnings
  ./static
fi
