# Finds oneDNN's C library: the header and the library both, since a header alone links nothing.
#
# Sets OneDNN_FOUND, OneDNN_VERSION, OneDNN_OPENMP (whether it runs on OpenMP), and the target
# OneDNN::dnnl. The library's own CMake package is not used: distributions build it in several ways
# (some demand find modules that they do not ship), and dnnl.h and libdnnl are all that is needed.
find_path(OneDNN_INCLUDE_DIR NAMES oneapi/dnnl/dnnl.h DOC "the folder of oneapi/dnnl/dnnl.h")
find_library(OneDNN_LIBRARY NAMES dnnl DOC "oneDNN's library")
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

set(OneDNN_OPENMP FALSE)
if(OneDNN_INCLUDE_DIR)
  file(GLOB OneDNN_SETTINGS "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version*.h"
       "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_config.h")
  foreach(OneDNN_FILE IN LISTS OneDNN_SETTINGS)
    file(STRINGS "${OneDNN_FILE}" OneDNN_LINES REGEX "^#define DNNL_(VERSION_|CPU_(THREADING_)?RUNTIME)")
    foreach(OneDNN_LINE IN LISTS OneDNN_LINES)
      if(OneDNN_LINE MATCHES "DNNL_VERSION_(MAJOR|MINOR|PATCH) +([0-9]+)")
        set(OneDNN_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
      elseif(OneDNN_LINE MATCHES "DNNL_RUNTIME_OMP")
        set(OneDNN_OPENMP TRUE)
      endif()
    endforeach()
  endforeach()
  set(OneDNN_VERSION "${OneDNN_MAJOR}.${OneDNN_MINOR}.${OneDNN_PATCH}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  OneDNN
  REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR
  VERSION_VAR OneDNN_VERSION)

if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
  add_library(OneDNN::dnnl UNKNOWN IMPORTED)
  set_target_properties(
    OneDNN::dnnl PROPERTIES IMPORTED_LOCATION "${OneDNN_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES
                                                                  "${OneDNN_INCLUDE_DIR}")
endif()
