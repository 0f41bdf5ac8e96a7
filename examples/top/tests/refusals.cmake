# SPDX-License-Identifier: MIT
#
# What can't be shown: one line on stderr, and nothing on stdout. Status 2 for a mistake, 1 where nothing whole is published.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

function(expect_refusal expected pattern)
  run(${ARGN})
  expect_equal(status "${status}" "${expected}")
  expect_equal(stdout "${output}" "")
  expect_match(stderr "${errors}" "^top: [^\n]*${pattern}[^\n]*\n$")
endfunction()

expect_refusal(2 "it takes a file")
expect_refusal(2 "it takes a file" --host)
expect_refusal(2 "--frobnicate: no such option" --frobnicate)
expect_refusal(2 "other: no such option" one other)
expect_refusal(2 "--count 0: not a number" --demo --count 0)
expect_refusal(2 "--interval x: not a number" --demo --interval x)
expect_refusal(2 "--interval: it takes a value" --demo --interval)
expect_refusal(2 "--sort age: not name or memory" --demo --sort age)
expect_refusal(1 "No such file" "${FOLDER}/nowhere")
expect_refusal(2 "No such file" "${FOLDER}/nowhere" --json)
expect_refusal(1 "no file of published statistics" "${CMAKE_CURRENT_LIST_FILE}")
expect_refusal(1 "no file of published statistics" "${FOLDER}")
expect_refusal(2 "there is another file of that name" --demo "${CMAKE_CURRENT_LIST_FILE}")
expect_refusal(2 "No such file" --host "${FOLDER}/nowhere/stats")

run(--help)
expect_equal(status "${status}" 0)
expect_match(stdout "${output}" "^top FILE ")

# Another version, another list of numbers, and a writer that died in the middle: words of 32 bits, see published_stats.hpp.
if(NOT PYTHON)
  message("skipped: this machine has no python3")
  return()
endif()
function(spoil word change)
  execute_process(
    COMMAND "${PYTHON}" -c "import struct,sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(4 * int(sys.argv[2])); old = struct.unpack('=I', f.read(4))[0]
    f.seek(4 * int(sys.argv[2])); f.write(struct.pack('=I', old + int(sys.argv[3])))" "${FOLDER}/stats" ${word} ${change}
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(--host "${FOLDER}/stats" --count 1 --interval 500)
expect_equal(status "${status}" 0)
spoil(1 1)
expect_refusal(1 "another version" "${FOLDER}/stats")
spoil(1 -1)
spoil(2 1)
expect_refusal(1 "another list of numbers" "${FOLDER}/stats")
spoil(2 -1)
spoil(6 1)
expect_refusal(1 "the writer died in the middle of a publication" "${FOLDER}/stats" --once)
expect_refusal(2 "the writer died in the middle of a publication" "${FOLDER}/stats" --json)
spoil(6 1)
run("${FOLDER}/stats" --once)
expect_equal(status "${status}" 0)
