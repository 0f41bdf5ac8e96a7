#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   module_names.sh SOURCE SCRATCH
#
# The module exports every name of namespace pagefold that the headers declare, and none twice. The compiler tells which
# those are: it lists all declarations that it saw, and a using-declaration takes those that are names of the namespace.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2
. "$here/common.sh"
for compiler in clang++-19 clang++-16 clang++ ''; do
  if [ -z "$compiler" ]; then skip "clang is not here"; fi
  if command -v "$compiler" >/dev/null 2>&1; then break; fi
done
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

# What is inside these is of the library's own files alone.
innards='detail numa_calls checksum_detail cpu_detail chain_link image_format little_endian page_coding pool_charge pool_ids stream_formats value_check'

flags='-std=c++20 -fno-caret-diagnostics -fno-color-diagnostics'
for codec in LZ4:lz4.h ZSTD:zstd.h LZO:lzo/lzo1x.h; do
  if echo "#include <${codec#*:}>" | "$compiler" -E -x c++ - >/dev/null 2>&1; then
    flags="$flags -DPAGEFOLD_WITH_${codec%:*}=1"
  elif [ "${codec%:*}" = LZO ] || [ "${codec%:*}" = ZSTD ]; then
    echo "not tested: ${codec%:*}, which is not installed here"
  fi
done

# lines PATTERN FILE: the lines of FILE about which there is an error with PATTERN; lines -v PATTERN FILE: the others.
lines() {
  other=0
  if [ "$1" = -v ]; then
    other=1
    shift
  fi
  sed -n "s/^$2:\([0-9]*\):.* error: $1.*/\1/p" errors >hits
  awk -v other=$other 'BEGIN { while ((getline n <"hits") > 0) hit[n] } (FNR in hit) != other' "$2"
}

# accepted FILE: of the using-declarations in it, one a line, those that name something that can be exported.
accepted() {
  # shellcheck disable=SC2086 # flags are words
  "$compiler" $flags -I include -ferror-limit=0 -fsyntax-only -include pagefold/pagefold.hpp "$1" 2>errors || true
  lines -v '' "$1"
}

# names_of NAMESPACE: what it declares itself; the namespaces in it go to the file spaces.
names_of() {
  grep -E "^$1::[a-z_0-9]+\$" declared | sort -u | sed 's/.*/using &;/' >candidates.cpp
  accepted candidates.cpp | sed 's/using //; s/;//'
  lines 'using declaration cannot refer to a namespace' candidates.cpp | sed 's/using //; s/;//' >spaces
}

# compare: the headers with the module, both under include/; prints what one has and the other lacks.
compare() {
  echo '#include <pagefold/pagefold.hpp>' >all.cpp
  # shellcheck disable=SC2086 # flags are words
  "$compiler" $flags -I include -fsyntax-only -Xclang -ast-list all.cpp | grep '^pagefold::' >declared
  names_of pagefold >found
  # An inline namespace has what pagefold has: it is passed through, and is none.
  sed 's/.*/using &::page_key;/' spaces >inline.cpp
  accepted inline.cpp | sed 's/using //; s/::page_key;//' >inline
  grep -vxF -f inline spaces >nested || true
  while read -r space; do
    case " $innards " in
    *" ${space#pagefold::} "*) ;;
    *) names_of "$space" >>found ;;
    esac
  done <nested
  # shellcheck disable=SC2086 # flags are words
  "$compiler" $flags -I include -E -P -x c++ include/pagefold/pagefold.cppm |
    sed -n '/^export module/,$ s/^ *using \(pagefold::.*\);$/\1/p' | sort >exported
  uniq -d exported | sed 's/^/exported twice: /'
  sort -u exported >once
  sort -u found | comm -23 - once | sed 's/^/not exported: /'
  sort -u found | comm -13 - once | sed 's/^/exported, and not in the headers: /'
}

cp -R "$source/include" include
compare >said
if [ -s said ]; then
  cat said
  echo "include/pagefold/pagefold.cppm and the headers differ"
  exit 1
fi
echo "$(wc -l <exported) names are exported"
[ "$(wc -l <exported)" -gt 200 ]

# It sees what it is for: a new type, function, concept and namespace, and a name that is gone. Whether the headers open
# namespace pagefold or an inline one in it makes no difference. (Each takes as long as the question itself: nightly.)
[ "${PAGEFOLD_TEST_MATRIX:-ON}" = ON ] || exit 0
for opens in pagefold 'pagefold::inline planted_abi'; do
  rm -rf include
  cp -R "$source/include" include
  find include -name '*.hpp' -exec sed -i "s/^namespace pagefold::inline [A-Za-z0-9_]*/namespace pagefold/
    s/^namespace pagefold\b/namespace $opens/" {} +
  sed -i "s/^enum class \[\[nodiscard\]\] status/struct planted_type {};\n[[nodiscard]] constexpr int planted_function() noexcept {\n\
    return 1;\n}\ntemplate <class T>\nconcept planted_concept = sizeof(T) == 1;\nnamespace planted_space {\nstruct inside {};\n}\n&/" \
    include/pagefold/core/status.hpp
  sed -i '/^using pagefold::zs;$/ d; s/^using pagefold::xv;$/&\n&/' include/pagefold/pagefold.cppm
  compare >said
  for name in planted_type planted_function planted_concept planted_space::inside zs; do
    echo "not exported: pagefold::$name"
  done | sort >expected
  echo 'exported twice: pagefold::xv' | cat - expected | sort >all
  sort said | cmp - all || { cat said; exit 1; }
done
