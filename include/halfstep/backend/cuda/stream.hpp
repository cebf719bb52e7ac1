#pragma once

#include <halfstep/backend/cuda/compiled_code.hpp>
#include <halfstep/backend/cuda/status.hpp>
#include <halfstep/backend/grid/index_error.hpp>

#include <cuda_runtime_api.h>

#include <new>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// The device that the process uses, and its one stream: all work is done in the order in which it
/// was asked for.
class Stream {
 public:
  /// Never destroyed: tensors with static storage may outlive everything else.
  /// @throws BackendError  there is no GPU, its driver is too old, or the program was not compiled
  ///                       for it
  static Stream& shared() {
    static Stream* const stream = new Stream;
    return *stream;
  }
  cudaStream_t get() const { return stream_; }
  /// The compute capability: 90 is 9.0.
  int architecture() const { return architecture_; }
  grid::IndexError* index_error() const { return index_error_; }

  void synchronize() const {
    ++synchronizations();
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    // The host reads what kernels wrote: the stream is at rest.
    const grid::IndexError found = *index_error_;
    if (found.operation == grid::IndexError::none) return;
    *index_error_ = grid::IndexError();
    found.rethrow();
  }

 private:
  Stream() {
    int count = 0;
    check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
    if (count == 0) check(cudaErrorNoDevice, "cudaGetDeviceCount");
    int major = 0, minor = 0;
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0),
          "cudaDeviceGetAttribute");
    check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0),
          "cudaDeviceGetAttribute");
    architecture_ = 10 * major + minor;
    require_compiled_code();
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    // Pinned and mapped: kernels write it, the host reads it when it waits anyway.
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, sizeof(grid::IndexError), cudaHostAllocMapped), "cudaHostAlloc");
    index_error_ = ::new (memory) grid::IndexError;
  }

  cudaStream_t stream_ = nullptr;
  grid::IndexError* index_error_ = nullptr;
  int architecture_ = 0;
};

}  // namespace halfstep
