# SPDX-License-Identifier: MIT
#
# The row of the kernel's zram, and that its device is gone afterwards, also after an interrupt.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

write_from_device("${FOLDER}/zeros" /dev/zero 40960)
write_from_device("${FOLDER}/noise" /dev/urandom 409600)
run("${PROGRAM}" --json --zram --threads 2 --file "${FOLDER}/zeros" --file "${FOLDER}/noise")
expect_equal(status "${status}" 0)
string(JSON reason ERROR_VARIABLE has_row GET "${output}" zram left_out)
if(NOT has_row)
  run("${PROGRAM}" --zram --file "${FOLDER}/zeros")
  expect_equal(status "${status}" 0)
  string(FIND "${output}" "zram is left out: ${reason}." at)
  expect_greater("where the table says why" ${at} 0)
  message(STATUS "zram is left out: ${reason}")
  return()
endif()
expect_json(110 zram pages)
expect_json(10 zram same_filled)
expect_json(100 zram incompressible)
expect_json(450560 zram data_bytes)

run("${PROGRAM}" --zram --file "${FOLDER}/zeros")
expect_match(table "${output}" "\nzram lz4 +10 +40K ")

# Interrupted as soon as its device is there: dies of the signal, and leaves no device and no report.
set(large_bytes 268374016) # like no other device, to be known by
write_from_device("${FOLDER}/large" /dev/zero ${large_bytes})
foreach(signal IN ITEMS INT TERM)
  file(WRITE "${FOLDER}/interrupt.sh" [=[
program=$1 file=$2 signal=$3
before=$(ls /sys/block | grep -c zram)
# A shell's background job ignores SIGINT, and so would the program: env undoes that.
env --default-signal=INT "$program" --zram --file "$file" > "$file.out" &
child=$!
while kill -0 $child 2> /dev/null && [ "$(ls /sys/block | grep -c zram)" = "$before" ]; do :; done
kill -$signal $child
wait $child
echo "status $? bytes $(wc -c < "$file.out")"
]=])
  run(sh "${FOLDER}/interrupt.sh" "${PROGRAM}" "${FOLDER}/large" ${signal})
  set(number 130)
  if(signal STREQUAL "TERM")
    set(number 143)
  endif()
  expect_match(result "${output}" "^status ${number} bytes 0")
endforeach()
file(REMOVE "${FOLDER}/large")

file(GLOB devices /sys/block/zram*)
foreach(device IN LISTS devices)
  file(READ "${device}/disksize" bytes)
  string(STRIP "${bytes}" bytes)
  foreach(ours IN ITEMS ${large_bytes} 450560 40960)
    if(bytes EQUAL ours)
      message(SEND_ERROR "${device} was left behind")
    endif()
  endforeach()
endforeach()
