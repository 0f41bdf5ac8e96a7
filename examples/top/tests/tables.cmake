# SPDX-License-Identifier: MIT
#
# Where there is no terminal: plain tables, of a host in this process and of one in another that ends.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

run(--demo --count 3 --interval 300 --sort name)
expect_equal(status "${status}" 0)
expect_equal(stderr "${errors}" "")
string(ASCII 27 escape)
if(output MATCHES "${escape}")
  message(SEND_ERROR "escape sequences where there is no terminal")
endif()
string(REGEX MATCHALL "store demo   writer [0-9]+   published [0-9.]+ s ago" tables "${output}")
list(LENGTH tables count)
expect_equal("number of tables" "${count}" 3)
expect_match(stdout "${output}" "\nattic +keeps [^\n]*\nbuild +drops [^\n]*\nmail +keeps [^\n]*\nweb +drops [^\n]*\n")
expect_match(stdout "${output}" "\nputs -/s ") # of one publication there is no rate
expect_match(stdout "${output}" "\nputs [0-9.]+k?/s ")
expect_match(stdout "${output}" "\nNODE +MEMORY .*\nnone ")

# A host that ends: what it published last, and that it is gone.
set(file "${FOLDER}/stats")
run(--host "${file}" --count 1 --interval 800)
expect_equal(status "${status}" 0)
run("${file}" --once)
expect_equal(status "${status}" 0)
expect_match(stdout "${output}" "^store demo   writer [0-9]+ [(]gone[)]   published [0-9.]+ s ago\n")
run("${file}" --interval 10) # without a number of tables it ends by itself, as nobody will publish
expect_equal(status "${status}" 0)
run(--demo "${file}" --once) # takes the file over
expect_equal(status "${status}" 0)
