# SPDX-License-Identifier: MIT
#
# Builds and runs tests/packaging/unity: units that include different headers of ours are built as one, in two orders.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${SCRATCH}")
function(configure_units)
  list(TRANSFORM ARGN APPEND .cpp OUTPUT_VARIABLE units)
  run(${CMAKE_COMMAND} -S "${SOURCE}/tests/packaging/unity" -B "${SCRATCH}" -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCMAKE_UNITY_BUILD=ON "-DPAGEFOLD_SOURCE=${SOURCE}" "-DPAGEFOLD_UNITS=${units}")
endfunction()

foreach(order IN ITEMS "codec allocator store" "store allocator codec")
  string(REPLACE " " ";" order "${order}")
  configure_units(${order})
  run(${CMAKE_COMMAND} --build "${SCRATCH}")
  run(${CMAKE_CTEST_COMMAND} --test-dir "${SCRATCH}" --no-tests=error --output-on-failure)
endforeach()

# They are one.
configure_units(codec allocator store clashing)
refused("stream" ${CMAKE_COMMAND} --build "${SCRATCH}")
