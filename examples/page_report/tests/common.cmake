# SPDX-License-Identifier: MIT
#
# For the scripts beside: each is run with PROGRAM, WRONG_BYTE and a FOLDER of its own.
cmake_minimum_required(VERSION 3.22)

include("${CMAKE_CURRENT_LIST_DIR}/../../support/expectations.cmake")
make_folder("${FOLDER}")

# Runs a program; status, output and errors into the caller's scope.
function(run)
  run_program(${ARGN})
  foreach(name IN ITEMS status output errors command)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()

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
