# SPDX-License-Identifier: MIT
#
# The CMakeLists.txt of a project that uses the parent, whose targets lie in PARENT_TARGETS.
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES CXX)
find_package(pagefold REQUIRED COMPONENTS lz4)
include("${PARENT_TARGETS}")
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/user.cpp" "#include <pagefold/compress/lz4.hpp>\nint main() {}\n")
add_executable(user "${CMAKE_CURRENT_BINARY_DIR}/user.cpp")
target_link_libraries(user PRIVATE parent::parent)
