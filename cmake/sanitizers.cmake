# SPDX-License-Identifier: MIT
#
# Sanitizers for what is built here; the public targets carry none. A finding ends the program, so that a test fails.
include_guard(GLOBAL)

add_library(pagefold_sanitizers INTERFACE)
if(PAGEFOLD_SANITIZE)
  set(sanitizer_flags -fsanitize=${PAGEFOLD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  if(PAGEFOLD_SANITIZE MATCHES "undefined")
    # To look at an object of a class with virtual functions it opens a pipe, and where a test leaves no descriptor it takes
    # the object for damaged. The library has no such class.
    list(APPEND sanitizer_flags -fno-sanitize=vptr)
  endif()
  target_compile_options(pagefold_sanitizers INTERFACE ${sanitizer_flags})
  target_link_options(pagefold_sanitizers INTERFACE ${sanitizer_flags})
endif()

# Further ones for some programs: of whole programs, because the linker keeps one of all units' functions.
set(PAGEFOLD_SANITIZE_HISTORIES "" CACHE STRING
    "Further sanitizers for the tests of random histories (tests/model, tests/stress): undefined")
add_library(pagefold_sanitizers_of_histories INTERFACE)
if(PAGEFOLD_SANITIZE_HISTORIES)
  set(sanitizer_flags -fsanitize=${PAGEFOLD_SANITIZE_HISTORIES} -fno-sanitize=vptr)
  target_compile_options(pagefold_sanitizers_of_histories INTERFACE ${sanitizer_flags})
  target_link_options(pagefold_sanitizers_of_histories INTERFACE ${sanitizer_flags})
endif()
