# SPDX-License-Identifier: MIT
#
# For the examples' tests in CMake's language. `command`, `output` and `errors` are those of the last run, which the including
# script's run() has put into the caller's scope.

macro(expect_equal what actual expected)
  if(NOT "${actual}" STREQUAL "${expected}")
    message(SEND_ERROR "${command}: ${what} is '${actual}', not '${expected}'\n${errors}")
  endif()
endmacro()

macro(expect_greater what actual bound)
  if(NOT "${actual}" GREATER "${bound}")
    message(SEND_ERROR "${command}: ${what} is '${actual}', not above '${bound}'\n${errors}")
  endif()
endmacro()

macro(expect_match what actual pattern)
  if(NOT "${actual}" MATCHES "${pattern}")
    message(SEND_ERROR "${command}: ${what} does not match '${pattern}':\n${actual}\n${errors}")
  endif()
endmacro()

# An empty folder, for the files of a test.
function(make_folder path)
  file(REMOVE_RECURSE "${path}")
  file(MAKE_DIRECTORY "${path}")
endfunction()

# Runs a program; status, output and errors into the caller's scope.
function(run_program program)
  execute_process(COMMAND ${program} ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  foreach(name IN ITEMS status output errors)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
  set(command "${ARGN}" PARENT_SCOPE)
endfunction()
