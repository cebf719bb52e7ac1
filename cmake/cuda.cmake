# How programs and tests get units that nvcc compiles: halfstep_cuda_FOUND says whether they do.
#
# halfstep_cuda_units(<target> <file.cu>...): adds such units to a program. Its other files see
# HALFSTEP_CUDA, and know backend::Cublas by name only.
set(halfstep_cuda_FOUND FALSE)
# Sanitizers and instruction sets of the host are another build's business.
if(NOT HALFSTEP_USE_CUDA OR HALFSTEP_SANITIZE OR HALFSTEP_NATIVE)
  return()
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "halfstep: without backend cuda: nvcc was not found, or cannot use this C++ compiler")
  return()
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  # For the GPU that is there; where none is, for Hopper and, as PTX, what comes after it.
  execute_process(
    COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
    OUTPUT_VARIABLE halfstep_gpus
    ERROR_QUIET RESULT_VARIABLE halfstep_gpus_result)
  if(halfstep_gpus_result EQUAL 0 AND halfstep_gpus MATCHES "^([0-9]+)\\.([0-9]+)")
    set(CMAKE_CUDA_ARCHITECTURES ${CMAKE_MATCH_1}${CMAKE_MATCH_2})
  else()
    set(CMAKE_CUDA_ARCHITECTURES 90)
    # Nobody will run it here, and half of nvcc's time goes into optimizing the host's code.
    set(CMAKE_CUDA_FLAGS_RELEASE "-O0" CACHE STRING "nvcc's flags in a release")
  endif()
endif()
enable_language(CUDA)
halfstep_find_component(cuda)
if(NOT halfstep_cuda_FOUND)
  message(STATUS "halfstep: without ${halfstep_cuda_REMEDY}")
  return()
endif()
halfstep_find_component(cudnn)
message(STATUS "halfstep: backend cuda for sm_${CMAKE_CUDA_ARCHITECTURES}")

function(halfstep_cuda_units target)
  target_sources(${target} PRIVATE ${ARGN})
  target_link_libraries(${target} PRIVATE halfstep::cuda)
  if(halfstep_cudnn_FOUND)
    target_link_libraries(${target} PRIVATE halfstep::cudnn)
  endif()
endfunction()
