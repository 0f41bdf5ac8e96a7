# SPDX-License-Identifier: MIT
#
# Warnings for what is built here; the public targets carry none.
include_guard(GLOBAL)

add_library(pagefold_warnings INTERFACE)
target_compile_options(pagefold_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                                   $<$<BOOL:${PAGEFOLD_WERROR}>:-Werror>)
# g++ 12 warns of std::string operator+ itself (GCC PR105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(pagefold_warnings INTERFACE -Wno-restrict)
endif()
