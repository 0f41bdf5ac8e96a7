#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   single_header.sh SOURCE SCRATCH COMPILER
#
# The single headers, which cmake/single_header.awk makes: the whole one stores a page in place of the library, the core's
# compiles without a hosted library.
set -eu
source=$1 scratch=$2 compiler=$3
rm -rf "$scratch"
mkdir -p "$scratch/include/pagefold"
for top in pagefold freestanding; do
  awk -v root="$source/include" -v top="pagefold/$top.hpp" -f "$source/cmake/single_header.awk" >"$scratch/include/pagefold/$top.hpp"
  if grep '#include <pagefold/' "$scratch/include/pagefold/$top.hpp"; then exit 1; fi
done
cd "$scratch"

# Two sources of one program: nothing is defined twice.
echo '#include <pagefold/pagefold.hpp>' >second.cpp
"$compiler" -std=c++20 -Wall -Wextra -Werror -I include "$source/tests/packaging/consumer/main.cpp" second.cpp -o program -pthread
./program

printf '%s\n' '#include <pagefold/freestanding.hpp>' 'pagefold::page_store<pagefold::default_config>* used;' >core.cpp
"$compiler" -std=c++20 -Wall -Wextra -Werror -ffreestanding -fno-exceptions -fno-rtti -I include -fsyntax-only core.cpp
