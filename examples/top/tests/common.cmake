# SPDX-License-Identifier: MIT
#
# For the scripts beside: each is run with PROGRAM, PYTHON and a FOLDER of its own.
cmake_minimum_required(VERSION 3.22)

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")

# Runs the program; status, output and errors into the caller's scope.
function(run)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  foreach(name IN ITEMS status output errors)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
  set(command "${ARGN}" PARENT_SCOPE)
endfunction()

macro(expect_equal what actual expected)
  if(NOT "${actual}" STREQUAL "${expected}")
    message(SEND_ERROR "${command}: ${what} is '${actual}', not '${expected}'\n${errors}")
  endif()
endmacro()

macro(expect_match what actual pattern)
  if(NOT "${actual}" MATCHES "${pattern}")
    message(SEND_ERROR "${command}: ${what} does not match '${pattern}':\n${actual}\n${errors}")
  endif()
endmacro()
