# SPDX-License-Identifier: MIT
#
# For the scripts beside: each is run with PROGRAM, WRONG_BYTE and a FOLDER of its own.
cmake_minimum_required(VERSION 3.22)

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")

# Runs a program; status, output and errors into the caller's scope.
function(run program)
  execute_process(COMMAND ${program} ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
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

macro(expect_greater what actual bound)
  if(NOT "${actual}" GREATER "${bound}")
    message(SEND_ERROR "${command}: ${what} is '${actual}', not above '${bound}'\n${errors}")
  endif()
endmacro()

macro(expect_match what actual pattern)
  if(NOT "${actual}" MATCHES "${pattern}")
    message(SEND_ERROR "${command}: ${what} does not match '${pattern}':\n${actual}")
  endif()
endmacro()

# A member of the JSON in `output`.
function(json out)
  string(JSON value ERROR_VARIABLE problem GET "${output}" ${ARGN})
  if(problem)
    message(SEND_ERROR "${command}: no ${ARGN} in its JSON: ${problem}\n${output}${errors}")
  endif()
  set(${out} "${value}" PARENT_SCOPE)
endfunction()

# expect_json(<expected> <member>...)
macro(expect_json expected)
  json(value ${ARGN})
  expect_equal("${ARGN}" "${value}" "${expected}")
endmacro()

# A file of so many pages that begin with `letter` and shrink well.
function(write_text path letter pages)
  string(REPEAT "${letter} page that shrinks, though it is not of one word only.........\n" 64 page)
  string(SUBSTRING "${page}" 0 4095 page)
  string(REPEAT "${page}\n" ${pages} text)
  file(WRITE "${path}" "${text}")
endfunction()

function(write_from_device path device bytes)
  execute_process(COMMAND head -c ${bytes} ${device} OUTPUT_FILE "${path}" RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${path} could not be written")
  endif()
endfunction()
