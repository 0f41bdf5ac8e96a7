# SPDX-License-Identifier: MIT
#
# For the scripts beside: an empty FOLDER, and the plugin served to a client's commands.

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")

# serve(<commands of the client> <parameter>...): status, output and errors into the caller's scope.
function(serve client)
  execute_process(COMMAND "${NBDKIT}" -U - "${PLUGIN}" ${ARGN} --run "${client}" RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  foreach(name IN ITEMS status output errors)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()
macro(expect condition)
  if(NOT (${condition} ${ARGN}))
    message(SEND_ERROR "not so: ${condition} ${ARGN}\nstatus ${status}\n${output}\n${errors}")
  endif()
endmacro()

# expect_map(<map>): what the last client printed of `nbdinfo --map`, without the columns' width.
function(expect_map wanted)
  string(REGEX REPLACE " +" " " found "${output}")
  string(STRIP "${found}" found)
  string(REPLACE "\n " "\n" found "${found}")
  if(NOT found STREQUAL wanted)
    message(SEND_ERROR "the map is\n${found}\nand not\n${wanted}\n${errors}")
  endif()
endfunction()
