#pragma once

#include <halfstep/core/error.hpp>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <atomic>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// Where in this library a call was made.
struct Place {
  const char* file;
  int line;
  static Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Errors after which every further call of the process fails: the context is lost.
inline bool is_sticky(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

/// What can be done about a status, as the end of a sentence; empty where nothing is known.
inline const char* remedy(cudaError_t status) {
  if (is_sticky(status)) return "; the GPU's context is lost: restart the process";
  switch (status) {
    case cudaErrorNoDevice:
      return "; no NVIDIA GPU is visible: choose a CPU backend, or look at CUDA_VISIBLE_DEVICES";
    case cudaErrorInsufficientDriver:
    case cudaErrorCallRequiresNewerDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorUnsupportedPtxVersion:
      return "; the driver is missing or older than this CUDA runtime: install a newer driver, or "
             "choose a CPU backend";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return "; this program was not compiled for the GPU's architecture: add it to nvcc's -arch "
             "or --generate-code";
    case cudaErrorMemoryAllocation:
      return "; use a smaller batch or model, or a 16-bit policy";
    default:
      return "";
  }
}

/// @throws BackendError  the call failed: names it, the status, the place and what to do
inline void check(cudaError_t status, const char* call, const Place& place = Place::here()) {
  if (status == cudaSuccess) return;
  // The next call must not find this error again.
  static_cast<void>(cudaGetLastError());
  fail<BackendError>(call, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ", ",
                     place.file, ":", place.line, ")", remedy(status));
}
inline void check(cublasStatus_t status, const char* call, const Place& place = Place::here()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail<BackendError>(call, ": ", cublasLtGetStatusString(status), " (",
                     cublasLtGetStatusName(status), ", ", place.file, ":", place.line, ")");
}

/// How often the host has waited for the GPU: a training step must not.
inline std::atomic<std::size_t>& synchronizations() {
  static std::atomic<std::size_t> count{0};
  return count;
}

}  // namespace halfstep
