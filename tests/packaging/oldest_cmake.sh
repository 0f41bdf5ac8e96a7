#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   oldest_cmake.sh SOURCE SCRATCH COMPILER VERSION
#
# The tests of this folder once more, with the oldest CMake that cmake_minimum_required allows.
set -eu
here=$(dirname "$0") source=$1 scratch=$2 compiler=$3 version=$4
. "$here/common.sh"
needs make
mkdir -p "$scratch"
venv "$scratch/venv" 'cmake==3.22.*'
cmake=$scratch/venv/bin/cmake
generator='Unix Makefiles'

"$cmake" --version
"$cmake" -S "$source" -B "$scratch/build" -G "$generator" "-DCMAKE_CXX_COMPILER=$compiler" -DPAGEFOLD_BUILD_TESTS=OFF \
  -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF
for test in 'consume -D WAY=find_package' 'consume -D WAY=add_subdirectory' exporting_parent layouts components; do
  echo "== $test"
  # shellcheck disable=SC2086 # a script and its arguments
  set -- $test
  script=$1
  shift
  "$cmake" -D "SOURCE=$source" -D "BUILD=$scratch/build" -D "SCRATCH=$scratch/test" -D "COMPILER=$compiler" \
    -D "GENERATOR=$generator" -D "VERSION=$version" "$@" -P "$here/$script.cmake"
done
