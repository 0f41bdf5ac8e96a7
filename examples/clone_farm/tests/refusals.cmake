# SPDX-License-Identifier: MIT
#
# What is no run: status 2, one line on stderr, nothing on stdout.
cmake_minimum_required(VERSION 3.22)

function(expect_refusal pattern)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors
                  TIMEOUT 20)
  if(NOT status EQUAL 2 OR NOT output STREQUAL "" OR NOT errors MATCHES "^clone_farm: [^\n]*${pattern}[^\n]*\n$")
    message(SEND_ERROR "${ARGN}: status ${status}, '${output}', '${errors}'")
  endif()
endfunction()

expect_refusal("--kernel FILE is missing")
expect_refusal("--kernel: it takes a value" --kernel)
expect_refusal("--frobnicate: no such option" --frobnicate)
foreach(number IN ITEMS 0 95 x -1 1.5 999999999999999999999)
  expect_refusal("--mib ${number}: not" --kernel k --mib ${number})
endforeach()
expect_refusal("--fill 7: not" --kernel k --fill 7)
expect_refusal("--fill 33: a guest of 96 MiB has room for 64 less" --kernel k --fill 33)
expect_refusal("--guests 0: not" --kernel k --guests 0)
expect_refusal("--steps 0: not" --kernel k --steps 0)
expect_refusal("--budget 1: not" --kernel k --budget 1)
expect_refusal("--resident 96: that leaves nothing" --kernel k --budget 96 --resident 96)
expect_refusal("--seconds 0: not" --kernel k --seconds 0)
expect_refusal("no such kernel" --kernel /no/such/kernel)
