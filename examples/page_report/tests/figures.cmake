# SPDX-License-Identifier: MIT
#
# Known pages, and what the report has to say of them.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

set(zeros "${FOLDER}/zeros")
set(noise "${FOLDER}/noise")
set(text "${FOLDER}/text")
write_from_device("${zeros}" /dev/zero 40960)      # 10 pages
write_from_device("${noise}" /dev/urandom 2000000) # 489 pages, the last of them a fourth full
write_text("${text}" T 20)
file(APPEND "${text}" "the start of a page")
set(all --file "${zeros}" --file "${noise}" --file "${text}")

# --- JSON --------------------------------------------------------------------------------------------------------------

foreach(threads IN ITEMS 1 2)
  run("${PROGRAM}" --json --threads ${threads} ${all})
  expect_equal(status "${status}" 0)
  expect_json(${threads} threads)
  expect_json("${zeros}" sources 0 name)
  expect_json(file sources 0 kind)
  expect_json(10 sources 0 pages)
  expect_json(10 sources 0 same_filled)
  expect_json(0 sources 0 compressed_bytes)
  expect_json(489 sources 1 pages)
  expect_json(488 sources 1 incompressible)
  expect_json(0 sources 1 same_filled)
  expect_json(21 sources 2 pages)
  expect_json(0 sources 2 incompressible)
  expect_json(520 total pages)
  expect_json(520 total pages_there)
  expect_json(2129920 total data_bytes) # 520 pages
  expect_json(0 total evicted)
  expect_json(0 total refused)
  expect_json(10 histogram same_filled)
  expect_json(488 histogram incompressible)
  set(sum 0)
  foreach(bucket RANGE 15)
    json(pages histogram streams ${bucket} pages)
    math(EXPR sum "${sum} + ${pages}")
  endforeach()
  expect_equal("sum of the buckets" ${sum} 22)
  set(sum 0)
  foreach(source RANGE 2)
    json(bytes sources ${source} total_bytes)
    math(EXPR sum "${sum} + ${bytes}")
  endforeach()
  expect_json(${sum} total total_bytes)
  json(latency total get_p50_us)
  expect_greater(get_p50_us ${latency} 0)
endforeach()

# --- A limit that drops pages ------------------------------------------------------------------------------------------

foreach(threads IN ITEMS 1 2)
  run("${PROGRAM}" --json --threads ${threads} --limit 1M --file "${noise}")
  expect_equal(status "${status}" 0)
  json(evicted total evicted)
  json(refused total refused)
  json(data total data_bytes)
  json(total total total_bytes)
  expect_greater(evicted ${evicted} 100)
  expect_greater("1 MiB and a byte" 1048577 ${total})
  math(EXPR accounted "${data} / 4096 + ${evicted} + ${refused}")
  expect_equal("pages held, evicted and refused" ${accounted} 489)
endforeach()

# --- Codecs, a sample of a source, a process, the sample of this machine -------------------------------------------------

run("${PROGRAM}" --json --codec none --file "${text}")
expect_equal(status "${status}" 0)
expect_json(21 total incompressible)

run("${PROGRAM}" --help)
if(output MATCHES "zstd.:LEVEL")
  run("${PROGRAM}" --json --codec zstd:5 --file "${text}")
  expect_equal(status "${status}" 0)
  expect_json(zstd:5 codec)
endif()

run("${PROGRAM}" --json --mib 1 --file "${noise}")
expect_json(489 total pages_there)
expect_json(256 total pages)

# Not before it is the other program: exec gives it other memory.
set(until_sleep "until [ \"$(cat /proc/$!/comm)\" = sleep ] || ! kill -0 $!\n do :\n done")
run(sh -c "sleep 60 &\n trap 'kill $!' EXIT\n ${until_sleep}\n '${PROGRAM}' --json --pid $!")
if(errors MATCHES "may not be read")
  message(STATUS "The memory of another process may not be read here: not tested")
else()
  expect_equal(status "${status}" 0)
  expect_json(process sources 0 kind)
  json(name sources 0 name)
  expect_match(name "${name}" "^sleep\\[[0-9]+\\]$")
endif()

run("${PROGRAM}" --mib 8)
expect_equal(status "${status}" 0)

# --- For people --------------------------------------------------------------------------------------------------------

run("${CMAKE_COMMAND}" -E env LC_ALL=C COLUMNS=80 "${PROGRAM}" --svg "${FOLDER}/sizes.svg" ${all})
expect_equal(status "${status}" 0)
expect_equal(stderr "${errors}" "")
expect_match(table "${output}" "\nSOURCE +PAGES +DATA +COMPR +TOTAL +RATIO +FILLED +PRESS. +p50 +p99 +p50 +p99 +TED\n")
expect_match(table "${output}" "\nTOTAL +520 +2M ")
expect_match(histogram "${output}" "\n   same-filled  # +10 +1.9 %\n")
expect_match(histogram "${output}" "\nincompressible  ###+ +488 +93.8 %\n")
string(REGEX MATCH "(^|\n)[^\n]{81}" too_wide "${output}")
expect_equal("line of more than 80 columns" "${too_wide}" "")
file(READ "${FOLDER}/sizes.svg" svg)
expect_match(SVG "${svg}" "^<svg .*incompressible: 488 pages.*</svg>\n$")

run("${CMAKE_COMMAND}" -E env LC_ALL=C COLUMNS=120 "${PROGRAM}" ${all})
expect_match(table "${output}" "\nSOURCE +PAGES +DATA +COMPRESSED +TOTAL +RATIO +FILLED +PRESSIBLE +p50 +p99 +p50 +p99 +EVICTED\n")

run("${PROGRAM}" --help)
expect_equal(status "${status}" 0)
foreach(column IN ITEMS SOURCE PAGES DATA COMPRESSED TOTAL RATIO SAME-FILLED INCOMPRESSIBLE "PUT p50" "GET p50" EVICTED)
  expect_match(help "${output}" "\n  ${column}[ ,]")
endforeach()
