# SPDX-License-Identifier: MIT
#
# What is published as JSON and as Prometheus' text, from another process; other programs read both.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

set(file "${FOLDER}/stats")
run(--host "${file}" --count 1 --interval 800)
expect_equal(status "${status}" 0)

run("${file}" --json)
expect_equal(status "${status}" 0)
string(JSON name ERROR_VARIABLE problem GET "${output}" stores 0 store)
expect_equal("the store in the JSON (${problem})" "${name}" demo)
foreach(member IN ITEMS puts total_bytes reject_kmemcache_fail damaged_tables)
  string(JSON number ERROR_VARIABLE problem GET "${output}" stores 0 stats ${member})
  expect_match("${member} (${problem})" "${number}" "^[0-9]+$")
endforeach()
string(JSON count LENGTH "${output}" stores 0 pools)
expect_equal("number of pools" "${count}" 4)
string(JSON kind GET "${output}" stores 0 pools 2 kind)
expect_equal("the third pool's kind" "${kind}" persistent)
if(PYTHON)
  file(WRITE "${FOLDER}/json" "${output}")
  execute_process(COMMAND "${PYTHON}" -m json.tool "${FOLDER}/json" RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE errors)
  expect_equal("python's json.tool" "${status}" 0)
endif()

run("${file}" --prometheus)
expect_equal(status "${status}" 0)
string(REGEX MATCHALL "# TYPE [a-z_]+ (counter|gauge)\n" types "${output}")
list(LENGTH types before)
list(REMOVE_DUPLICATES types)
list(LENGTH types after)
expect_equal("metrics without those that come twice" "${after}" "${before}")
expect_match(stdout "${output}"
             "# HELP pagefold_pool_puts_total [^\n]+\n# TYPE pagefold_pool_puts_total counter\n\
pagefold_pool_puts_total{store=\"demo\",pool=\"web\",id=\"[0-9]+\"} [0-9]+\n")
string(REGEX REPLACE "(# (HELP|TYPE) [^\n]+|pagefold_[a-z]+_[a-z_]+{[^}\n]+} [0-9]+)\n" "" rest "${output}")
expect_equal("what is none of the format's lines" "${rest}" "")
