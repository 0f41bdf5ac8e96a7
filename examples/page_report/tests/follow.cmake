# SPDX-License-Identifier: MIT
#
# A process with 256 pages that it writes again and again and 2,048 that it wrote once, and what --follow says of it. Beyond
# these it has some pages of its own.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

# Runs a program beside the pattern: follow_pattern(<seconds> <letter> <shell commands, where $pid is the pattern's>)
function(follow_pattern seconds letter commands)
  file(REMOVE "${FOLDER}/ready")
  file(WRITE "${FOLDER}/follow.sh" "
'${PATTERN}' 256 2048 ${seconds} ${letter} > '${FOLDER}/ready' 2> /dev/null &
pid=$!
trap 'kill $pid 2> /dev/null' EXIT
until [ -s '${FOLDER}/ready' ] || ! kill -0 $pid; do sleep 0.01; done
${commands}
")
  run(sh "${FOLDER}/follow.sh")
  foreach(name IN ITEMS status output errors command)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()

# --- What it sees ------------------------------------------------------------------------------------------------------

follow_pattern(100 P "'${PROGRAM}' --follow --json --pid $pid --sweep 50 --sweeps 40")
if(errors MATCHES "may not be read")
  message(STATUS "skipped: this machine lets nobody read the memory of another process")
  return()
endif()
expect_equal(status "${status}" 0)
expect_equal(stderr "${errors}" "")
string(REGEX MATCHALL "[^\n]+\n" lines "${output}")
list(LENGTH lines count)
expect_equal(lines ${count} 40)
list(GET lines 0 output)
json(bytes bytes)
expect_greater("bytes in the first sweep" ${bytes} 9437183) # 2,304 pages
expect_json(255 cold_age)
expect_json(0 cold_bytes)
expect_json(${bytes} hot_bytes) # nothing is idle yet
expect_json(${bytes} budget_bytes)
list(GET lines 39 output)
expect_json(40 sweep)
json(bytes bytes)
json(hot hot_bytes)
json(cold cold_bytes)
json(saved saved_bytes)
json(compressed compressed_bytes)
json(budget budget_bytes)
json(age cold_age)
expect_greater("hot bytes" ${hot} 1048575) # 256 pages
expect_greater("3 MiB" 3145728 ${hot})
expect_greater("cold bytes" ${cold} 8388607) # 2,048 pages
math(EXPR sum "${hot} + ${cold}")
math(EXPR above "${bytes} + 1")
expect_greater("all bytes and one" ${above} ${sum})
expect_greater("age of the cold" ${age} 0)
expect_greater(255 255 ${age})
math(EXPR sum "${saved} + ${compressed}")
expect_equal("saved and compressed" ${sum} ${cold})
math(EXPR quarter "${cold} / 4") # they are of a few words each
expect_greater("a quarter of the cold" ${quarter} ${compressed})
expect_greater("budget below the pages in memory" ${bytes} ${budget})
set(sum 0)
string(JSON rows LENGTH "${output}" ages)
math(EXPR last "${rows} - 1")
foreach(row RANGE ${last})
  json(pages ages ${row} pages)
  math(EXPR sum "${sum} + ${pages} * 4096")
endforeach()
expect_equal("sum of the ages" ${sum} ${bytes})

# --- For people --------------------------------------------------------------------------------------------------------

follow_pattern(100 P "COLUMNS=60 '${PROGRAM}' --follow --pid $pid --sweep 20 --sweeps 10 --mib 1")
expect_equal(status "${status}" 0)
expect_match(text "${output}" "^Seen by (idle page tracking|soft-dirty bits|checksums of the pages); ")
expect_match(text "${output}" "\npattern.[0-9]+.: sweep 10, [0-9.]+M in memory, hot [0-9.]+[KM]\n")
expect_match(text "${output}" "\nCold: too early to tell\nBudget: ")
expect_match(text "${output}" "\nCold: [0-9.]+M from age [0-9]+ on, 0 of these pages were wanted in this sweep\n")
expect_match(text "${output}" "\nCompressed they'd take [0-9.]+K .page.: [0-9.]+M saved\nBudget: ")

# Itself.
run("${PROGRAM}" --follow --sweep 1 --sweeps 3)
expect_equal(status "${status}" 0)
expect_match(text "${output}" "\npage_report.[0-9]+.: sweep 3, ")

# --- Ends --------------------------------------------------------------------------------------------------------------

# The process does, and nobody waits for it: a zombie until then.
follow_pattern(1 P "'${PROGRAM}' --follow --json --pid $pid --sweep 20; echo status $?")
expect_match(text "${output}" "\nstatus 0\n$")
expect_match(stderr "${errors}" "^page_report: process pattern.[0-9]+. ended\n$")

# A signal, also in the middle of a long wait. A shell's background job ignores SIGINT, and so would the program: env undoes that.
foreach(signal IN ITEMS INT TERM)
  follow_pattern(100 P "
env --default-signal=INT '${PROGRAM}' --follow --json --pid $pid --sweep 3600000 > '${FOLDER}/frames' &
child=$!
until [ -s '${FOLDER}/frames' ] || ! kill -0 $child; do sleep 0.01; done
kill -${signal} $child
wait $child
echo status $?")
  set(number 130)
  if(signal STREQUAL "TERM")
    set(number 143)
  endif()
  expect_equal(status "${output}" "status ${number}\n")
endforeach()

# A page that comes back from the store with a wrong byte.
foreach(letter IN ITEMS P F)
  follow_pattern(100 ${letter}
                 "'${WRONG_BYTE}' --follow --pid $pid --sweep 20 --sweeps 10 > /dev/null; echo status $?")
  if(letter STREQUAL "P")
    expect_equal(status "${output}" "status 0\n")
  else()
    expect_equal(status "${output}" "status 1\n")
    expect_match(stderr "${errors}" "^page_report: pattern.*: the page at 0x[0-9a-f]+ came back with other bytes")
  endif()
endforeach()

if(EXISTS /dev/full)
  run(sh -c "'${PROGRAM}' --follow > /dev/full")
  expect_equal(status "${status}" 2)
  expect_match(stderr "${errors}" "stdout: No space left")
endif()
