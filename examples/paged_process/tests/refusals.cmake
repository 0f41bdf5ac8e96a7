# SPDX-License-Identifier: MIT
#
# What is no run: status 2, one line on stderr, nothing on stdout.
cmake_minimum_required(VERSION 3.22)

function(expect_refusal pattern)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT status EQUAL 2 OR NOT output STREQUAL "" OR NOT errors MATCHES "^paged_process: [^\n]*${pattern}[^\n]*\n$")
    message(SEND_ERROR "${ARGN}: status ${status}, '${output}', '${errors}'")
  endif()
endfunction()

expect_refusal("--frobnicate: no such option" --frobnicate)
expect_refusal("--mib: it takes a value" --mib)
foreach(number IN ITEMS 0 3 x -1 999999999)
  expect_refusal("--mib ${number}: not" --mib ${number})
endforeach()
expect_refusal("--seconds 0: not" --seconds 0)
expect_refusal("--faults here: not" --faults here)
expect_refusal("--auto: it compares" --auto --compare-zram)
