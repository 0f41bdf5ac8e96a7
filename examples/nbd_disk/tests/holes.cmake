# SPDX-License-Identifier: MIT
#
# What was never written, or was trimmed, is a hole to clients, whatever the disk's size.
cmake_minimum_required(VERSION 3.22)

if(NOT PLUGIN OR NOT NBDKIT OR NOT NBDCOPY OR NOT NBDINFO)
  message(STATUS "skipped: this machine lacks nbdkit, its header, nbdcopy or nbdinfo (./run need nbdkit)")
  return()
endif()
include("${CMAKE_CURRENT_LIST_DIR}/serve.cmake")
set(map "'${NBDINFO}' --map \"$uri\"")

# --- An empty disk is one hole, and is copied as one --------------------------------------------------------------------

serve("${map}" size=1T)
expect(status EQUAL 0)
expect_map("0 1099511627776 3 hole,zero")

serve("'${NBDCOPY}' \"$uri\" '${FOLDER}/empty'" size=8G)
expect(status EQUAL 0)
file(SIZE "${FOLDER}/empty" bytes)
expect(bytes EQUAL 8589934592)
execute_process(COMMAND stat -c %b "${FOLDER}/empty" OUTPUT_VARIABLE blocks OUTPUT_STRIP_TRAILING_WHITESPACE)
expect(blocks LESS 2048)

# --- An image with holes keeps them, in and out --------------------------------------------------------------------------

# Data in the first MiB, the fifth, and the last: the end is within a page.
set(image "${FOLDER}/image")
execute_process(COMMAND head -c 1048576 /dev/urandom OUTPUT_FILE "${FOLDER}/data")
foreach(at IN ITEMS 0 4 15)
  execute_process(COMMAND dd "if=${FOLDER}/data" "of=${image}" bs=1M seek=${at} conv=notrunc ERROR_QUIET)
endforeach()
execute_process(COMMAND head -c 512 "${FOLDER}/data" OUTPUT_FILE "${FOLDER}/end")
execute_process(COMMAND dd "if=${FOLDER}/end" "of=${image}" bs=1M seek=16 conv=notrunc ERROR_QUIET)
file(SIZE "${image}" bytes)
serve("'${NBDCOPY}' '${image}' \"$uri\" && '${NBDCOPY}' \"$uri\" '${FOLDER}/copy' && ${map}" size=${bytes}
      "statistics=${FOLDER}/statistics")
expect(status EQUAL 0)
execute_process(COMMAND cmp "${image}" "${FOLDER}/copy" RESULT_VARIABLE differs)
expect(differs EQUAL 0)
expect_map("0 1048576 0 data
1048576 3145728 3 hole,zero
4194304 1048576 0 data
5242880 10485760 3 hole,zero
15728640 1049088 0 data")
execute_process(COMMAND stat -c %b "${FOLDER}/copy" OUTPUT_VARIABLE blocks OUTPUT_STRIP_TRAILING_WHITESPACE)
expect(blocks LESS 16384)
file(READ "${FOLDER}/statistics" statistics)
string(JSON stored GET "${statistics}" stored_pages)
expect(stored EQUAL 769)

# --- Zeros over all of a large disk free what was written ------------------------------------------------------------------

serve("'${NBDCOPY}' --destination-is-zero '${FOLDER}/data' \"$uri\" && ${map} &&
       '${NBDCOPY}' -- [ '${NBDKIT}' --exit-with-parent null 1T ] \"$uri\" && ${map}" size=1T
      "statistics=${FOLDER}/statistics")
expect(status EQUAL 0)
expect_map("0 1048576 0 data
1048576 1099510579200 3 hole,zero
0 1099511627776 3 hole,zero")
file(READ "${FOLDER}/statistics" statistics)
string(JSON stored GET "${statistics}" stored_pages)
expect(stored EQUAL 0)
