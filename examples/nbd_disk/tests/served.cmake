# SPDX-License-Identifier: MIT
#
# The plugin in a real nbdkit, with a real client.
cmake_minimum_required(VERSION 3.22)

if(NOT PLUGIN OR NOT NBDKIT OR NOT NBDCOPY)
  message(STATUS "skipped: this machine lacks nbdkit, its header or nbdcopy (./run need nbdkit)")
  return()
endif()
include("${CMAKE_CURRENT_LIST_DIR}/serve.cmake")

# --- An image goes in and comes back ------------------------------------------------------------------------------------

set(image "${FOLDER}/image")
execute_process(COMMAND head -c 16777216 "${CMAKE_COMMAND}" OUTPUT_FILE "${image}") # a program: part of it shrinks
file(SIZE "${image}" bytes)
math(EXPR size "${bytes} / 512 * 512")
execute_process(COMMAND truncate -s ${size} "${image}")
serve("'${NBDCOPY}' '${image}' \"$uri\" && '${NBDCOPY}' \"$uri\" '${FOLDER}/copy'" size=${size}
      "statistics=${FOLDER}/statistics")
expect(status EQUAL 0)
execute_process(COMMAND cmp "${image}" "${FOLDER}/copy" RESULT_VARIABLE differs)
expect(differs EQUAL 0)
file(READ "${FOLDER}/statistics" statistics)
string(JSON total GET "${statistics}" total_bytes)
string(JSON stored GET "${statistics}" stored_pages)
expect(total GREATER 0)
expect(total LESS size)
expect(stored GREATER 100)

# --- More than fits: the client is told --------------------------------------------------------------------------------

execute_process(COMMAND head -c 4194304 /dev/urandom OUTPUT_FILE "${FOLDER}/noise")
serve("'${NBDCOPY}' '${FOLDER}/noise' \"$uri\"" size=4M limit=1M)
expect(NOT status EQUAL 0)
expect(errors MATCHES "the store is full")
expect(errors MATCHES "No space left on device")

# --- Parameters that are none ------------------------------------------------------------------------------------------

serve(true)
expect(NOT status EQUAL 0)
expect(errors MATCHES "size=SIZE is needed")
foreach(wrong IN ITEMS size=0 size=17T size=many size=-1 color=red limit=0)
  set(parameters size=1M ${wrong})
  serve(true ${parameters})
  expect(NOT status EQUAL 0)
  expect(errors MATCHES "nbdkit: error")
endforeach()
