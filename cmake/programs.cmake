# How halfstep's own programs and tests are built; none of it reaches a user's targets.
add_library(halfstep_programs INTERFACE)
target_link_libraries(halfstep_programs INTERFACE halfstep::halfstep)
foreach(component IN LISTS halfstep_components)
  target_link_libraries(halfstep_programs INTERFACE halfstep::${component})
endforeach()
# Plain -O2, as header-only users compile: what is fast here is fast for them.
target_compile_options(
  halfstep_programs INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;$<$<CONFIG:Release>:-O2>>
                              $<$<BOOL:${HALFSTEP_NATIVE}>:-march=native>)
if(HALFSTEP_SANITIZE)
  target_compile_options(
    halfstep_programs INTERFACE -fsanitize=${HALFSTEP_SANITIZE} -fno-sanitize-recover=all
                                -fno-omit-frame-pointer -g1 -O1)
  target_link_options(halfstep_programs INTERFACE -fsanitize=${HALFSTEP_SANITIZE})
endif()

# halfstep_program(<target> <name> <library>...): a program build/bin/<name>, whose sources the caller
# adds; <target> builds it too.
function(halfstep_program all name)
  add_executable(${name})
  target_link_libraries(${name} PRIVATE halfstep_programs ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/examples)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin
                                           CXX_EXTENSIONS OFF)
  add_dependencies(${all} ${name})
endfunction()

# halfstep_programs_of(<target> <library>...): one such program for each .cpp file directly in the
# calling folder, named after it.
function(halfstep_programs_of all)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    halfstep_program(${all} ${name} ${ARGN})
    target_sources(${name} PRIVATE ${source})
  endforeach()
endfunction()
