#pragma once

#include <halfstep/backend/cuda/queue.hpp>

#include <cublasLt.h>

#include <memory>
#include <string>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// A handle of cuBLASLt that is destroyed with its owner.
template <class Handle, auto Destroy>
struct DestroyHandle {
  using pointer = Handle;
  void operator()(Handle handle) const { Destroy(handle); }
};
template <class Handle, auto Destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, DestroyHandle<Handle, Destroy>>;

/// cuBLASLt, and the workspace that its products share: they run one after the other.
class Library {
 public:
  static Library& shared() {
    static Library* const library = new Library;
    return *library;
  }
  cublasLtHandle_t handle() const { return handle_; }
  void* workspace() const { return workspace_; }
  /// On Hopper the fastest kernels want 32 MiB.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  /// What an algorithm of cuBLASLt is valid for: its version, and the GPU.
  static std::string machine() {
    static_cast<void>(Stream::shared());
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    return std::string(properties.name) + ", compute capability " +
           std::to_string(properties.major) + "." + std::to_string(properties.minor) + ", " +
           std::to_string(properties.multiProcessorCount) + " multiprocessors, cuBLASLt " +
           std::to_string(cublasLtGetVersion());
  }

 private:
  Library() {
    static_cast<void>(Stream::shared());  // says what is wrong, where no GPU is
    check(cublasLtCreate(&handle_), "cublasLtCreate");
    check(cudaMalloc(&workspace_, workspace_bytes), "cudaMalloc of the products' workspace");
  }
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
