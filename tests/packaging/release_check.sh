#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   release_check.sh SOURCE SCRATCH COMPILER
#
# ./run release-check on this tree, then on a copy that is made ready for a release, where it passes. With
# PAGEFOLD_TEST_MATRIX=ON once more for each rule on a copy where that one is broken, which it must see; otherwise for a few.
set -eu
here=$(cd "$(dirname "$0")" && pwd) source=$1 scratch=$2 CXX=$3
export CXX
. "$here/common.sh"
needs git
rm -rf "$scratch"
mkdir -p "$scratch"
tree=$scratch/tree
copy_tree "$source" "$tree"
cd "$tree"
git config user.name nobody
git config user.email nobody@example.org
git config tag.gpgSign false
git config commit.gpgSign false
git add -A
git commit -qm 'The tree'

check() { ./run release-check "$@" >"$scratch/said" 2>&1; }
fail() {
  cat "$scratch/said"
  echo "$*"
  exit 1
}

# As it is: what is not yet released may lack these and nothing else.
quick='committed version changelog unreleased readme conan vcpkg meson module licence homepage tag'
# shellcheck disable=SC2086 # rules are words
check $quick || true
cat "$scratch/said"
[ "$(grep -cE '^(ok|failed|skipped) ' "$scratch/said")" -eq "$(echo "$quick" | wc -w)" ] || fail "rules are missing"
if grep '^failed' "$scratch/said" | grep -vE '^failed +(changelog|unreleased|homepage) '; then fail "this tree breaks a rule"; fi

# Ready for a release, all rules pass.
version=$(sed -n 's/^#define PAGEFOLD_VERSION_[A-Z]* //p' include/pagefold/config/version.hpp | paste -sd. -)
sed -i "s/^## $version (unreleased)/## $version (2026-01-02)/" CHANGELOG.md
sed -i 's/ Nothing is published yet[.;]//' README.md
if ! check homepage; then
  sed -i 's,^  DESCRIPTION ",  HOMEPAGE_URL "https://pagefold.example"\n&,' CMakeLists.txt
  sed -i 's,^    license = "MIT",&\n    homepage = "https://pagefold.example",' conanfile.py
  sed -i 's,^  "license": "MIT",  "homepage": "https://pagefold.example"\,\n&,' cmake/vcpkg/ports/pagefold/vcpkg.json
fi
git add -A
git commit -qm 'Release'
check || fail "a tree that is ready was refused"
cat "$scratch/said"
grep -q '^skipped  tag ' "$scratch/said" || fail "there is no tag yet"
tar -tzf "build/release/pagefold-$version.tar.gz" | grep -qx "pagefold-$version/LICENSE" || fail "no archive was left"
git tag "v$version"
check tag || fail "the right tag was refused"
grep -q "^ok       tag " "$scratch/said" || fail "the tag was not seen"
git tag -d "v$version" >/dev/null

# breaks RULE COMMAND...: committed, and refused by that rule, then taken back.
breaks() {
  rule=$1
  shift
  "$@"
  git add -A
  git commit -q --allow-empty -m "Break $rule"
  refused "$rule" "$*"
  git reset -q --hard HEAD^
}
refused() {
  if sh cmake/release_check.sh . "$1" >"$scratch/said" 2>&1; then fail "$1 did not see: $2"; fi
  grep -q "^failed   $1 " "$scratch/said" || fail "$1 did not fail over: $2"
  echo "$1: $(sed -n 1p "$scratch/said" | sed 's/^failed *[a-z]* *//')"
}

echo >>README.md
refused committed 'a change'
git reset -q --hard
breaks licence rm LICENSE
[ "${PAGEFOLD_TEST_MATRIX:-ON}" = ON ] || exit 0
breaks version sed -i 's/_MINOR [0-9]*/_MINOR 1.x/' include/pagefold/config/version.hpp
breaks changelog sed -i "s/^## $version (.*/## 99.0.0 (2026-01-02)/" CHANGELOG.md
breaks changelog sed -i "s/^## $version (.*/## $version (soon)/" CHANGELOG.md
breaks unreleased sed -i '$ s/$/\n## 0.0.1 (unreleased)/' CHANGELOG.md
breaks unreleased sed -i '$ s/$/\nNothing is published yet./' README.md
breaks readme sed -i "s,pagefold/$version,pagefold/99.0.0," README.md
breaks conan sed -i 's/^    name = "pagefold"/&\n    version = "99.0.0"/' conanfile.py
breaks vcpkg sed -i "s/\"$version\"/\"99.0.0\"/" cmake/vcpkg/ports/pagefold/vcpkg.json
breaks vcpkg sed -i '$ s/$/\n# 99.0.0/' cmake/vcpkg/ports/pagefold/portfile.cmake
breaks meson sed -i "s/^  version: run_command(.*/  version: '99.0.0', description: run_command(/" meson.build
breaks module sed -i 's/version_minor = .*/version_minor = 99;/' include/pagefold/pagefold.cppm
breaks licence sed -i 's/2026/1999/' LICENSE
breaks licence sed -i '/copy(self, "LICENSE"/ d' conanfile.py
breaks licence sed -i '/"license": "MIT"/ d' cmake/vcpkg/ports/pagefold/vcpkg.json
breaks licence sed -i '/^vcpkg_install_copyright/ d' cmake/vcpkg/ports/pagefold/portfile.cmake
breaks licence sed -i '/install_data/ d' meson.build
breaks licence sh -c 'echo "LICENSE export-ignore" >.gitattributes' # there, and not in the archive
breaks homepage sed -i '/HOMEPAGE_URL/ d' CMakeLists.txt
breaks homepage sed -i 's,^    homepage = .*,    homepage = "https://other.example",' conanfile.py
breaks archive sed -i '/^install(FILES LICENSE/ d' cmake/install.cmake
breaks archive rm include/pagefold/core/status.hpp
breaks archive sed -i 's/^Version: .*/Version: 99.0.0/' cmake/pagefold.pc.in
if command -v dpkg-deb >/dev/null 2>&1; then
  breaks debian sed -i '/^set(CPACK_PRE_BUILD_SCRIPTS/ d' cmake/debian.cmake
else
  echo "not tested: the rule debian, without dpkg-deb"
fi
if command -v reuse >/dev/null 2>&1; then
  # shellcheck disable=SC2016 # for the inner shell
  breaks reuse sh -c 'printf "// SPDX-License-%s: GPL-2.0-or-later\n" Identifier >include/foreign.hpp'
else
  echo "not tested: the rule reuse, without reuse"
fi

git tag v99.0.0
refused tag 'another tag'
git tag -d v99.0.0 >/dev/null
git tag "v$version"
git commit -q --allow-empty -m 'One more'
refused tag 'the tag at another commit'
