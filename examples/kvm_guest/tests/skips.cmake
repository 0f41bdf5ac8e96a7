# SPDX-License-Identifier: MIT
#
# Without the right to use /dev/kvm, or without userfaultfd, the program says so and ends with 77.
cmake_minimum_required(VERSION 3.22)

find_program(SETPRIV setpriv)
execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT SETPRIV OR NOT user EQUAL 0)
  message(STATUS "skipped: it takes root and setpriv to run the program without rights")
  return()
endif()
execute_process(COMMAND ${SETPRIV} --reuid 65534 --clear-groups --bounding-set=-all "${PROGRAM}" --mib 16
                RESULT_VARIABLE status OUTPUT_VARIABLE output)
if(NOT status EQUAL 77 OR NOT output MATCHES "^kvm_guest is skipped: [^\n]+\n$")
  message(SEND_ERROR "status ${status}, '${output}'")
endif()
