# SPDX-License-Identifier: MIT
#
# fio writes, trims and reads back, and compares: sequential, at random, parts of pages, many at a time.
cmake_minimum_required(VERSION 3.22)

set(engines "")
if(FIO)
  execute_process(COMMAND "${FIO}" --enghelp OUTPUT_VARIABLE engines ERROR_QUIET)
endif()
if(NOT PLUGIN OR NOT NBDKIT OR NOT engines MATCHES "nbd")
  message(STATUS "skipped: this machine lacks nbdkit, its header, or fio with the engine nbd (./run need nbdkit fio)")
  return()
endif()
include("${CMAKE_CURRENT_LIST_DIR}/serve.cmake")

# verify(<option of fio>...)
function(verify)
  string(REPLACE ";" " " options "${ARGN}")
  serve("cd '${FOLDER}' && '${FIO}' --name=verify --ioengine=nbd --uri=\"$uri\" --size=16m --verify=crc32c \
         --verify_fatal=1 --randrepeat=1 --buffer_compress_percentage=50 ${options}" size=16M)
  expect(status EQUAL 0)
  expect(output MATCHES "READ: .*io=") # that it compared
endfunction()

verify(--rw=write --bs=256k --iodepth=8)
verify(--rw=randwrite --bs=4k --iodepth=16)
verify(--rw=randwrite --bsrange=512-64k --blockalign=512 --iodepth=16)
verify(--rw=randwrite --bs=512 --iodepth=16 --io_size=4m)
# fio trims each block, then writes it, and needs both in that order: one at a time.
verify(--rw=randtrimwrite --bs=4k --iodepth=1)
verify(--rw=randtrimwrite --bs=1k --iodepth=1 --io_size=4m)
