# SPDX-License-Identifier: MIT
#
# For the scripts of this folder.
cmake_minimum_required(VERSION 3.22)

# Arguments are kept whole: ARGN would split those that are lists.
function(run)
  cmake_parse_arguments(PARSE_ARGV 0 command "" "" "")
  execute_process(COMMAND ${command_UNPARSED_ARGUMENTS} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

# A command that must fail, and say what matches `words`.
function(refused words)
  cmake_parse_arguments(PARSE_ARGV 1 command "" "" "")
  execute_process(COMMAND ${command_UNPARSED_ARGUMENTS} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}") # CMake breaks lines where it likes
  list(JOIN ARGN " " command)
  if(status EQUAL 0)
    message(FATAL_ERROR "${command}\nwas expected to fail with: ${words}")
  elseif(NOT output MATCHES "${words}")
    message(FATAL_ERROR "${command}\nfails, and does not say: ${words}\n${output}")
  endif()
endfunction()

# pagefold alone, nothing of ours built.
set(configure ${CMAKE_COMMAND} -S "${SOURCE}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
              -DPAGEFOLD_BUILD_TESTS=OFF -DPAGEFOLD_BUILD_EXAMPLES=OFF -DPAGEFOLD_BUILD_BENCHMARKS=OFF)
