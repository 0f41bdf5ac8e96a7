# SPDX-License-Identifier: MIT
#
# Proves the layer check by planting, one at a time in a copy of the tree, what it must refuse and what it must allow.
cmake_minimum_required(VERSION 3.22)

file(REMOVE_RECURSE "${SCRATCH}")
file(COPY "${ROOT}/pagefold" DESTINATION "${SCRATCH}")

function(plant expected header include)
  set(file "${SCRATCH}/pagefold/${header}")
  set(original "")
  if(EXISTS "${file}")
    file(READ "${file}" original)
  endif()
  file(WRITE "${file}" "#include ${include}\n${original}")
  execute_process(COMMAND ${CMAKE_COMMAND} -D ROOT=${SCRATCH} -P ${CHECK} RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(original STREQUAL "")
    file(REMOVE "${file}")
  else()
    file(WRITE "${file}" "${original}")
  endif()
  # The message wraps; a refusal must name the planted line and nothing else can be the cause.
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  string(FIND "${output}" "pagefold/${header}: #include ${include}:" named)
  if(expected STREQUAL "refused" AND (status EQUAL 0 OR named EQUAL -1))
    message(SEND_ERROR "${include} in ${header} was not refused: ${output}")
  elseif(expected STREQUAL "allowed" AND NOT status EQUAL 0)
    message(SEND_ERROR "${include} in ${header} was not allowed: ${output}")
  endif()
endfunction()

plant(refused core/bytes.hpp "<pagefold/store/stats.hpp>")          # upward
plant(refused platform/concept.hpp "<pagefold/ds/planted.hpp>")     # sibling
plant(refused evict/concept.hpp "<pagefold/alloc/concept.hpp>")     # sibling
plant(refused core/types.hpp "<pagefold/hosted/planted.hpp>")       # hosted from below
plant(refused store/stats.hpp "<pagefold/control/planted.hpp>")     # upward
plant(refused paging/concept.hpp "<pagefold/control/budget.hpp>")   # sibling
plant(refused store/planted.hpp "<pagefold/evict/clock.hpp>")       # a concrete policy outside default_config
plant(refused store/planted.hpp "<pagefold/place/single.hpp>")      # page_store alone may
plant(refused compress/planted.hpp "<lz4.h>")                       # a foreign header outside its adapter
plant(refused compress/lz4.hpp "<zstd.h>")
plant(refused core/bits.hpp "<vector>")
plant(refused core/bits.hpp "\"types.hpp\"")
plant(refused nowhere/planted.hpp "<cstddef>")                      # a folder without a layer
plant(refused compress/page/planted.hpp "<pagefold/alloc/concept.hpp>") # a sibling, from a folder within a folder
plant(refused compress/page/planted.hpp "<lz4.h>")
plant(refused compress/page/planted.hpp "<immintrin.h>")            # vectors outside their home
plant(refused compress/lz4.hpp "<immintrin.h>")
plant(refused freestanding.hpp "<pagefold/hosted/planted.hpp>")
plant(refused compress/lz_block/planted.hpp "<pagefold/alloc/concept.hpp>") # a folder within a folder is of its layer
plant(refused compress/lz_block/planted.hpp "<lz4.h>")
plant(refused store/planted.hpp "<pagefold/compress/lz_block/encoder.hpp>")
plant(refused platform/parking_lock.hpp "<linux/futex.h>")          # a system outside its home
plant(refused platform/parking.hpp "<pthread.h>")
plant(refused platform/host_seed.hpp "<linux/futex.h>")
plant(refused platform/host_parking.hpp "<sys/random.h>")
plant(refused platform/host_parking.hpp "<sched.h>")
plant(refused platform/locality.hpp "<sched.h>")
plant(refused platform/host_parking.hpp "<sys/mman.h>")             # and in it, what it wasn't given

plant(allowed store/planted.hpp "<pagefold/evict/concept.hpp>")
plant(allowed store/default_config.hpp "<pagefold/evict/planted.hpp>")
plant(allowed compress/planted.hpp "<pagefold/compress/concept.hpp>")
plant(allowed compress/page/planted.hpp "<pagefold/compress/concept.hpp>")
plant(allowed compress/page/sse42.hpp "<immintrin.h>")
plant(allowed platform/host_parking.hpp "<linux/futex.h>")
plant(allowed platform/host_seed.hpp "<sys/random.h>")
plant(allowed platform/host_locality.hpp "<sched.h>")
plant(allowed compress/lz4.hpp "<lz4.h>")
plant(allowed hosted/planted.hpp "<vector>")
plant(allowed compress/lz_block/planted.hpp "<pagefold/compress/concept.hpp>")
plant(allowed compress/planted.hpp "<pagefold/compress/lz_block/encoder.hpp>")
plant(allowed hosted/planted.hpp "<pagefold/store/page_store.hpp>")
plant(refused store/planted.hpp "<pagefold/hosted/uffd_pager.hpp>")
