#pragma once

#include <halfstep/backend/cuda/stream.hpp>

#include <cudnn.h>

#include <mutex>

#if CUDNN_MAJOR < 9
#error "halfstep: cuDNN 9 is needed; install it, or compile without HALFSTEP_CUDNN"
#endif

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// What can be done about a status, as the end of a sentence; empty where nothing is known.
inline const char* remedy(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_NOT_INITIALIZED:
    case CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH:
    case CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED:
      return "; all of libcudnn*.so.9, of one version, must stand where the loader looks "
             "(LD_LIBRARY_PATH); or compile without HALFSTEP_CUDNN";
    case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
      return "; use a smaller batch or model, or a 16-bit policy";
    case CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER:
      return "; install a newer driver, or compile without HALFSTEP_CUDNN";
    default:
      return "";
  }
}

/// @throws BackendError  the call failed: names it, the status, the place and what to do
inline void check(cudnnStatus_t status, const char* call, const Place& place = Place::here()) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  // The next launch must not find what this call has left.
  static_cast<void>(cudaGetLastError());
  char detail[256] = "";
  cudnnGetLastErrorString(detail, sizeof(detail));
  fail<BackendError>(call, ": ", cudnnGetErrorString(status), " (", place.file, ":", place.line,
                     ")", detail[0] == '\0' ? "" : ": ", detail, remedy(status));
}

/// Whether a status says that the library has no such operation, for these types, extents or GPU.
inline bool is_unsupported(cudnnStatus_t status) {
  const int kind = CUDNN_STATUS_CATEGORY(static_cast<int>(status));
  return kind == CUDNN_STATUS_NOT_SUPPORTED || kind == CUDNN_STATUS_BAD_PARAM;
}

/// cuDNN's handle: one thread at a time may use it.
class CudnnLibrary {
 public:
  static CudnnLibrary& shared() {
    static CudnnLibrary* const library = new CudnnLibrary;
    return *library;
  }
  std::mutex& mutex() { return mutex_; }
  cudnnHandle_t handle() const { return handle_; }

 private:
  CudnnLibrary() {
    static_cast<void>(Stream::shared());  // says what is wrong, where no GPU is
    check(cudnnCreate(&handle_), "cudnnCreate");
  }

  std::mutex mutex_;
  cudnnHandle_t handle_ = nullptr;
};

}  // namespace halfstep
