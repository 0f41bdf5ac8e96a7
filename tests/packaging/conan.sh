#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   conan.sh SOURCE SCRATCH COMPILER
#
# Packages pagefold with Conan, and a project takes it from there: the core, then with codecs. Conan comes from PyPI, the
# codecs are the system's.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 compiler=$3
. "$here/common.sh"
mkdir -p "$scratch"
venv "$scratch/venv" 'conan>=2,<3'
PATH=$scratch/venv/bin:$PATH
CONAN_HOME=$scratch/home
CXX=$compiler
export PATH CONAN_HOME CXX
rm -rf "$CONAN_HOME"
conan profile detect >"$scratch/log" 2>&1 || { cat "$scratch/log"; skip "Conan knows no profile for this machine"; }
sed 's/^build_type=.*/build_type=Debug/' "$CONAN_HOME/profiles/default" >"$scratch/debug" # nothing here is about speed
mv "$scratch/debug" "$CONAN_HOME/profiles/default"
quietly conan remote disable '*'

# A copy, because Conan builds the test package where it lies.
rm -rf "$scratch/source"
mkdir -p "$scratch/source/tests"
cp -R "$source/conanfile.py" "$source/LICENSE" "$source/include" "$scratch/source"
cp -R "$source/tests/packaging" "$scratch/source/tests"

create() {
  quietly conan create "$scratch/source" -s compiler.cppstd=20 --build=missing "$@"
  grep -E '^[a-z0-9]+: (ok|WRONG)' "$scratch/log" >"$scratch/said"
  cat "$scratch/said"
}

# refused WORDS ARGUMENT...
refused() {
  words=$1
  shift
  if conan create "$source" --test-folder= "$@" >"$scratch/log" 2>&1; then
    echo "not refused: $*"
    exit 1
  fi
  tr '\n' ' ' <"$scratch/log" | grep -q "$words" || { cat "$scratch/log"; echo "does not say: $words"; exit 1; }
}

refused 'cppstd (gnu17) is lower than the required C++ standard (20)' -s compiler.cppstd=gnu17
refused 'needs gcc 11 or later, not 10' -s compiler=gcc -s compiler.version=10 -s compiler.libcxx=libstdc++11 \
  -s compiler.cppstd=20
refused 'needs Linux, not Windows' -s os=Windows -s compiler.cppstd=20

create
[ "$(cat "$scratch/said")" = 'default: ok' ]
packaged=$(conan list 'pagefold/*:*' --format=compact 2>/dev/null | grep -oE 'pagefold/[0-9.]+#[0-9a-f]+:[0-9a-f]+')
folder=$(conan cache path "$packaged")
(cd "$source/include" && find pagefold -name '*.hpp' -o -name '*.cppm' | sort) >"$scratch/ours"
(cd "$folder/include" && find . -type f | sed 's,^\./,,' | sort) >"$scratch/packaged"
cmp "$scratch/ours" "$scratch/packaged"
[ -e "$folder/licenses/LICENSE" ]

options=
for codec in lz4:1.9.4:lz4.h lzo:2.10:lzo/lzo1x.h zstd:1.5.4:zstd.h; do
  name=${codec%%:*} header=${codec##*:} version=${codec#*:}
  version=${version%:*}
  if echo "#include <$header>" | "$compiler" -E -x c++ - >/dev/null 2>&1; then
    quietly conan export "$here/conan/shims" --name="$name" --version="$version"
    options="$options -o &:with_$name=True"
  else
    echo "not tested: $name, which is not installed here"
  fi
done
if [ -n "$options" ]; then
  # shellcheck disable=SC2086 # options are words
  create $options
  [ "$(wc -l <"$scratch/said")" -eq $(($(echo "$options" | wc -w) / 2 + 1)) ]
  if grep WRONG "$scratch/said"; then exit 1; fi
fi

# As the README says it, where lz4 is here to be had.
readme_block "$source/README.md" sh 'conan create' >"$scratch/block"
if echo "$options" | grep -q with_lz4; then
  cd "$scratch/source"
  quietly sh -eu "$scratch/block"
  grep '^lz4: ok' "$scratch/log"
fi
