# SPDX-License-Identifier: MIT
#
# For the scripts beside: each is run with PROGRAM, PYTHON and a FOLDER of its own.
cmake_minimum_required(VERSION 3.22)

include("${CMAKE_CURRENT_LIST_DIR}/../../support/expectations.cmake")
make_folder("${FOLDER}")

# Runs the program; status, output and errors into the caller's scope.
function(run)
  run_program("${PROGRAM}" ${ARGN})
  foreach(name IN ITEMS status output errors command)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()
