#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   release_check.sh ROOT [RULE...]
#
# What must hold of a tree before it is released, as far as it can be seen in the tree: docs/publishing.md says what for.
# The rules look at what would be published, the archive that git makes of HEAD. One line a rule, ok, failed or skipped;
# fails when one of them does. Without names all rules run, and build/release/ has the archive when they hold.
set -eu
root=$(cd "$1" && pwd)
shift
all='committed version changelog unreleased readme conan vcpkg meson module licence homepage reuse archive debian tag'
work=$root/build/release

# --- The archive -------------------------------------------------------------------------------------------------------

fails() {
  printf '%s\n' "$*"
  exit 1
}
skips() {
  printf '%s\n' "$*"
  exit 77
}
has() { command -v "$1" >/dev/null 2>&1; }

# A version as "1.2.3", of the header in the folder $1.
version_in() {
  sed -n 's/^#define PAGEFOLD_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$1/include/pagefold/config/version.hpp" | paste -sd. -
}

rm -rf "$work"
mkdir -p "$work"
if [ -e "$root/.git" ] && has git; then
  version=$(git -C "$root" show HEAD:include/pagefold/config/version.hpp |
    sed -n 's/^#define PAGEFOLD_VERSION_[A-Z]* \([0-9]*\)$/\1/p' | paste -sd. -)
  name=pagefold-$version
  git -C "$root" archive --prefix="$name/" HEAD >"$work/$name.tar"
  tar -xf "$work/$name.tar" -C "$work"
  tree=$work/$name
  is_checkout=1
else
  version=$(version_in "$root")
  tree=$root
  is_checkout=0
fi

# only_in_checkout: what asks git ends here without it.
only_in_checkout() { [ $is_checkout = 1 ] || skips "this is no checkout of git"; }

# --- The rules: each prints what it found, in a shell of its own -------------------------------------------------------

rule_committed() {
  only_in_checkout
  changed=$(git -C "$root" status --porcelain | wc -l)
  [ "$changed" -eq 0 ] || fails "$changed files differ from HEAD, and would not be in the archive"
  echo "the archive is the tree"
}

rule_version() {
  echo "$version" | grep -qxE '[0-9]+\.[0-9]+\.[0-9]+' || fails "version.hpp has '$version', not three numbers"
  echo "$version"
}

rule_changelog() {
  heading=$(grep -m 1 '^## ' "$tree/CHANGELOG.md" || true)
  case $heading in
  "## $version ("[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]")") echo "$heading" ;;
  *) fails "its first entry is '$heading', not '## $version (YYYY-MM-DD)'" ;;
  esac
}

rule_unreleased() {
  if (cd "$tree" && grep -nEi '\(unreleased\)|nothing is published' CHANGELOG.md README.md); then
    fails "says that there is no release"
  fi
  echo "no such word in CHANGELOG.md and README.md"
}

rule_readme() {
  other=$(grep -oE 'pagefold/[0-9]+\.[0-9]+\.[0-9]+' "$tree/README.md" | grep -vxF "pagefold/$version" || true)
  [ -z "$other" ] || fails "it names $other"
  echo "it names no other version"
}

rule_conan() {
  recipe=$tree/conanfile.py
  if grep -nE '^ *(self\.)?version *= *["'\''][0-9]' "$recipe"; then fails "a version of its own"; fi
  grep -q 'config/version\.hpp' "$recipe" || fails "it does not read version.hpp"
  echo "its version is read from the header"
}

rule_vcpkg() {
  port=$tree/cmake/vcpkg/ports/pagefold
  stated=$(sed -n 's/^ *"version[a-z-]*": *"\([^"]*\)".*/\1/p' "$port/vcpkg.json")
  [ "$stated" = "$version" ] || fails "vcpkg.json says '$stated'"
  if grep -nE '[0-9]+\.[0-9]+\.[0-9]+' "$port/portfile.cmake" "$port/usage"; then fails "a version in the port"; fi
  echo "vcpkg.json says $stated"
}

rule_meson() {
  if grep -nE '(^|[ ,(])version: *'\' "$tree/meson.build"; then fails "a version of its own"; fi
  grep -q 'config/version\.hpp' "$tree/meson.build" || fails "it does not read version.hpp"
  echo "its version is read from the header"
}

rule_module() {
  for part in major:MAJOR minor:MINOR patch:PATCH; do
    grep -q "version_${part%:*} = PAGEFOLD_VERSION_${part#*:};" "$tree/include/pagefold/pagefold.cppm" ||
      fails "version_${part%:*} is not the header's"
  done
  echo "its version is the header's"
}

# What each package takes along is seen by the rules archive and debian.
rule_licence() {
  [ "$(head -n 1 "$tree/LICENSE")" = 'MIT License' ] || fails "there is no LICENSE that begins with MIT License"
  cmp -s "$tree/LICENSE" "$tree/LICENSES/MIT.txt" || fails "LICENSES/MIT.txt is not LICENSE"
  # named FILE PATTERN
  named() { grep -qE "$2" "$tree/$1" || fails "$1 has no $2"; }
  named conanfile.py '^ *license = "MIT"$'
  named conanfile.py 'copy\(self, "LICENSE", .*"licenses"'
  named cmake/vcpkg/ports/pagefold/vcpkg.json '^  "license": "MIT"'
  named cmake/vcpkg/ports/pagefold/portfile.cmake 'vcpkg_install_copyright\(.*/LICENSE"'
  named meson.build "license: 'MIT'"
  named meson.build "install_data\('LICENSE'"
  named README.md '\(LICENSE\)'
  echo "MIT, in each package"
}

rule_homepage() {
  in_cmake=$(sed -n 's/^ *HOMEPAGE_URL *"\([^"]*\)".*/\1/p' "$tree/CMakeLists.txt")
  in_conan=$(sed -n 's/^ *homepage = "\([^"]*\)".*/\1/p' "$tree/conanfile.py")
  in_vcpkg=$(sed -n 's/^ *"homepage": *"\([^"]*\)".*/\1/p' "$tree/cmake/vcpkg/ports/pagefold/vcpkg.json")
  if [ "$in_cmake" != "$in_conan" ] || [ "$in_cmake" != "$in_vcpkg" ]; then
    fails "CMakeLists.txt says '$in_cmake', conanfile.py '$in_conan', vcpkg.json '$in_vcpkg'"
  fi
  case $in_cmake in
  https://?*) echo "$in_cmake" ;;
  *) fails "none: HOMEPAGE_URL in CMakeLists.txt, homepage in conanfile.py and vcpkg.json" ;;
  esac
}

rule_reuse() {
  has reuse || skips "reuse is not here"
  if [ $is_checkout = 1 ]; then git -C "$tree" init -q; fi # else the repository around it ignores it
  reuse --root "$tree" lint >"$work/reuse.log" 2>&1 || { cat "$work/reuse.log"; fails "reuse lint"; }
  rm -rf "$work/$name/.git"
  grep -m 1 'Files with license information' "$work/reuse.log" | sed 's/^\* //'
}

# Configures the archive's tree to $work/build and installs it to $work/installed, once.
install_it() {
  [ ! -e "$work/installed/done" ] || return 0
  {
    cmake -S "$tree" -B "$work/build" -DPAGEFOLD_BUILD_TESTS=OFF -DPAGEFOLD_BUILD_EXAMPLES=OFF \
      -DPAGEFOLD_BUILD_BENCHMARKS=OFF && cmake --install "$work/build" --prefix "$work/installed"
  } >"$work/log" 2>&1 || { cat "$work/log"; fails "it can't be installed"; }
  : >"$work/installed/done"
}

rule_archive() {
  has cmake || skips "cmake is not here"
  install_it
  share=$work/installed/share
  cmp -s "$share/licenses/pagefold/LICENSE" "$tree/LICENSE" || fails "LICENSE is not installed"
  for file in "$share"/pkgconfig/*.pc; do
    grep -qxF "Version: $version" "$file" || fails "$(basename "$file") is of another version"
    if grep '^Requires: pagefold' "$file" | grep -vF "pagefold = $version,"; then fails "$(basename "$file") requires another"; fi
  done
  mkdir -p "$work/consumer"
  cp "$tree/tests/packaging/consumer/main.cpp" "$work/consumer"
  cat >"$work/consumer/CMakeLists.txt" <<TEXT
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
find_package(pagefold $version EXACT REQUIRED)
find_package(Threads REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE pagefold::pagefold Threads::Threads)
TEXT
  {
    cmake -S "$work/consumer" -B "$work/consumer/build" "-DCMAKE_PREFIX_PATH=$work/installed" &&
      cmake --build "$work/consumer/build" && "$work/consumer/build/consumer"
  } >"$work/log" 2>&1 || { cat "$work/log"; fails "its consumer does not work"; }
  grep -qx 'default: ok' "$work/log" || fails "its consumer did not say ok"
  echo "it installs, and a consumer stores a page"
}

rule_debian() {
  has cmake || skips "cmake is not here"
  has dpkg-deb || skips "dpkg-deb is not here"
  install_it
  (cd "$work/build" && cpack -G DEB -D CPACK_DEBIAN_PACKAGE_MAINTAINER='Nobody <nobody@example.org>') >"$work/log" 2>&1 ||
    { cat "$work/log"; fails "it can't be packaged"; }
  deb=$(echo "$work"/build/libpagefold-dev_*_all.deb)
  [ "$(dpkg-deb -f "$deb" Version | cut -d- -f1)" = "$version" ] || fails "$(basename "$deb") is of another version"
  dpkg-deb --fsys-tarfile "$deb" | tar -xOf - ./usr/share/doc/libpagefold-dev/copyright 2>"$work/log" |
    grep -qx 'License: Expat' || fails "no copyright file with the licence"
  has lintian || skips "lintian is not here; the package is made"
  lintian --fail-on error,warning --allow-root "$deb" >"$work/log" 2>&1 || { cat "$work/log"; fails "lintian"; }
  basename "$deb"
}

# A version that was tagged once is no longer free, even where HEAD has no tag.
rule_tag() {
  only_in_checkout
  tags=$(git -C "$root" tag --points-at HEAD)
  if echo "$tags" | grep -qxF "v$version"; then
    other=$(echo "$tags" | grep -E '^v[0-9]' | grep -vxF "v$version" || true)
    [ -z "$other" ] || fails "HEAD is tagged $other as well"
    echo "v$version"
  elif git -C "$root" rev-parse -q --verify "refs/tags/v$version" >/dev/null; then
    fails "v$version is the tag of another commit"
  elif echo "$tags" | grep -qE '^v[0-9]'; then
    fails "HEAD is tagged $tags, not v$version"
  else
    skips "HEAD has no tag"
  fi
}

# --- The report --------------------------------------------------------------------------------------------------------

is_whole=0
if [ $# -eq 0 ]; then
  is_whole=1
  # shellcheck disable=SC2086 # rules are words
  set -- $all
fi
ok=0 failed=0 skipped=0
for rule in "$@"; do
  case " $all " in
  *" $rule "*) ;;
  *)
    echo "there is no rule $rule; there are: $all" >&2
    exit 2
    ;;
  esac
  status=0
  said=$("rule_$rule" 2>&1) || status=$?
  case $status in
  0) outcome=ok ok=$((ok + 1)) ;;
  77) outcome=skipped skipped=$((skipped + 1)) ;;
  *) outcome=failed failed=$((failed + 1)) ;;
  esac
  printf '%-8s %-10s %s\n' "$outcome" "$rule" "$(echo "$said" | sed '2,$ s/^/                    /')"
done
echo "$ok ok, $failed failed, $skipped skipped"
if [ "$is_checkout$is_whole$failed" = 110 ]; then
  gzip -9nf "$work/$name.tar"
  echo "build/release/$name.tar.gz"
  for sum in sha256 sha512; do
    if has ${sum}sum; then echo "  $sum $(${sum}sum <"$work/$name.tar.gz" | cut -d' ' -f1)"; fi
  done
fi
[ $failed -eq 0 ]
