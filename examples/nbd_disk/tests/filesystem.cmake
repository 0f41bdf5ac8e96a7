# SPDX-License-Identifier: MIT
#
# ext4 on the disk. WAY is `image`: made in a file, copied in and out; or `mounted`: made, filled and checked on the disk
# itself, which nbdfuse shows as a file, by blocks smaller than its pages.
cmake_minimum_required(VERSION 3.22)

if(NOT PLUGIN OR NOT NBDKIT OR NOT NBDCOPY OR NOT MKE2FS OR NOT DEBUGFS OR NOT E2FSCK)
  message(STATUS "skipped: this machine lacks nbdkit, its header, nbdcopy or the tools of ext4 (./run need nbdkit mke2fs)")
  return()
endif()
if(WAY STREQUAL mounted AND (NOT NBDFUSE OR NOT EXISTS /dev/fuse))
  message(STATUS "skipped: this machine lacks nbdfuse or /dev/fuse")
  return()
endif()
include("${CMAKE_CURRENT_LIST_DIR}/serve.cmake")
execute_process(COMMAND head -c 6000000 "${CMAKE_COMMAND}" OUTPUT_FILE "${FOLDER}/file") # a program: part of it shrinks

if(WAY STREQUAL image)
  set(image "${FOLDER}/image")
  execute_process(COMMAND "${MKE2FS}" -q -F -t ext4 "${image}" 64M RESULT_VARIABLE status)
  expect(status EQUAL 0)
  execute_process(COMMAND "${DEBUGFS}" -w -R "write ${FOLDER}/file file" "${image}" OUTPUT_QUIET ERROR_QUIET)
  serve("'${NBDCOPY}' '${image}' \"$uri\" && '${NBDCOPY}' \"$uri\" '${FOLDER}/copy'" size=64M)
  expect(status EQUAL 0)
  execute_process(COMMAND "${E2FSCK}" -f -n "${FOLDER}/copy" RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_QUIET)
  expect(status EQUAL 0)
  execute_process(COMMAND "${DEBUGFS}" -R "dump file ${FOLDER}/back" "${FOLDER}/copy" OUTPUT_QUIET ERROR_QUIET)
else()
  set(disk "${FOLDER}/mount/disk")
  file(MAKE_DIRECTORY "${FOLDER}/mount")
  serve("'${NBDFUSE}' '${disk}' \"$uri\" & server=$!
    tries=0
    while [ ! -e '${disk}' ]; do
      kill -0 $server 2>/dev/null && [ $tries -lt 200 ] || { echo cannot mount; exit; }
      tries=$((tries + 1)); sleep 0.05
    done
    '${MKE2FS}' -q -F -t ext4 -b 1024 '${disk}' &&
    '${DEBUGFS}' -w -R 'write ${FOLDER}/file file' '${disk}' >/dev/null 2>&1 &&
    '${DEBUGFS}' -w -R 'write ${FOLDER}/file other' '${disk}' >/dev/null 2>&1 &&
    '${DEBUGFS}' -w -R 'rm other' '${disk}' >/dev/null 2>&1 &&
    '${E2FSCK}' -f -n '${disk}' && '${DEBUGFS}' -R 'dump file ${FOLDER}/back' '${disk}' >/dev/null 2>&1
    status=$?
    umount '${disk}' || fusermount3 -u '${disk}' || kill $server
    wait $server
    exit $status" size=64M)
  if(output MATCHES "cannot mount")
    message(STATUS "skipped: this machine lets nbdfuse mount nothing: ${errors}")
    return()
  endif()
  expect(status EQUAL 0)
endif()
execute_process(COMMAND cmp "${FOLDER}/file" "${FOLDER}/back" RESULT_VARIABLE differs)
expect(differs EQUAL 0)
