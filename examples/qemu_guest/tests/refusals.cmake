# SPDX-License-Identifier: MIT
#
# What is no run: status 2, one line on stderr, nothing on stdout.
cmake_minimum_required(VERSION 3.22)

function(expect_refusal pattern)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors
                  TIMEOUT 20)
  if(NOT status EQUAL 2 OR NOT output STREQUAL "" OR NOT errors MATCHES "^qemu_guest: [^\n]*${pattern}[^\n]*\n$")
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
expect_refusal("--fill 200: a guest of 256 MiB has room for 64 less" --kernel k --fill 200)
expect_refusal("--resident 0: not" --kernel k --resident 0)
expect_refusal("--budget 1: not" --kernel k --budget 1)
expect_refusal("--most 0: not" --kernel k --most 0)
expect_refusal("--seconds 0: not" --kernel k --seconds 0)
expect_refusal("no such kernel" --kernel /no/such/kernel)
