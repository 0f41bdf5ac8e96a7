# SPDX-License-Identifier: MIT
#
# What is no run: status 2, one line on stderr, nothing on stdout.
cmake_minimum_required(VERSION 3.22)

function(expect_refusal pattern)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT status EQUAL 2 OR NOT output STREQUAL "" OR NOT errors MATCHES "^kvm_guest: [^\n]*${pattern}[^\n]*\n$")
    message(SEND_ERROR "${ARGN}: status ${status}, '${output}', '${errors}'")
  endif()
endfunction()

expect_refusal("--frobnicate: no such option" --frobnicate)
foreach(option IN ITEMS mib budget store guests steps snapshots eviction backing first-guest)
  expect_refusal("--${option}: it takes a value" --${option})
endforeach()
foreach(number IN ITEMS 0 3 1025 x -1 16x 99999999999999999999)
  expect_refusal("--mib ${number}: not a number" --mib ${number})
endforeach()
expect_refusal("--guests 0: not a number" --guests 0)
expect_refusal("--snapshots 0: not a number" --snapshots 0)
expect_refusal("--guests 33: not a number" --guests 33)
expect_refusal("--steps 0: not a number" --steps 0)
expect_refusal("--budget: less than 256 KiB a guest" --guests 5 --budget 1)
expect_refusal("--eviction pray: not move or protect" --eviction pray)
expect_refusal("--backing huge: not anonymous or shared" --backing huge)
expect_refusal("--first-guest lives: not bad-instruction or stop or stop-in-fault" --first-guest lives)
expect_refusal("--backing shared: MOVE" --backing shared --eviction move)
