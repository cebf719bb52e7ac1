#pragma once

#include <halfstep/backend/cuda/block_cache.hpp>
#include <halfstep/backend/cuda/device_block.hpp>
#include <halfstep/backend/cuda/status.hpp>
#include <halfstep/backend/grid/block.hpp>
#include <halfstep/backend/grid/index_error.hpp>

#include <cuda_runtime.h>

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend::cuda {

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

/// What BlockCache allocates from.
struct DeviceMemory {
  static void* allocate(std::size_t bytes) {
    static_cast<void>(Stream::shared());
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      return nullptr;
    }
    check(status, "cudaMalloc");
    return memory;
  }
  static void free(void* memory) { check(cudaFree(memory), "cudaFree"); }
  static FreeMemory free_memory() {
    FreeMemory memory;
    check(cudaMemGetInfo(&memory.free, &memory.total), "cudaMemGetInfo");
    return memory;
  }
};

}  // namespace backend::cuda

namespace device {

/// The memory of the GPU.
struct Cuda {
  static constexpr std::string_view name = "cuda";
  static constexpr bool host_accessible = false;
  using Pool = backend::cuda::BlockCache<backend::cuda::DeviceMemory>;
  static Pool& pool() {
    static Pool* const pool = new Pool;
    return *pool;
  }
};

}  // namespace device

#if defined(__CUDACC__)
namespace backend::cuda {

template <class Kernel>
__global__ void run_kernel(const __grid_constant__ Kernel kernel) {
  DeviceBlock block;
  kernel(block);
}

/// Runs kernels and copies in the stream's order.
struct Queue {
  using Device = device::Cuda;

  template <class Kernel>
  static void launch(const grid::GridSize& size, const Kernel& kernel) {
    static_assert(std::is_trivially_copyable_v<Kernel>,
                  "halfstep: a kernel goes to the device byte by byte");
    static_assert(sizeof(Kernel) <= 4096, "halfstep: more than a kernel's parameters may be");
    run_kernel<<<static_cast<unsigned>(size.blocks), static_cast<unsigned>(size.threads), 0,
                 Stream::shared().get()>>>(kernel);
    check(cudaGetLastError(), "a kernel's launch");
  }
  template <class T>
  static bool has_tensor_cores() {
    return DeviceBlock::has_tensor_cores<T>(Stream::shared().architecture());
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    // From pageable memory: the source was copied when the call comes back.
    check(cudaMemcpyAsync(to, from.data(), from.size_bytes(), cudaMemcpyHostToDevice,
                          Stream::shared().get()),
          "cudaMemcpyAsync to the GPU");
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    check(cudaMemcpyAsync(to.data(), from, to.size_bytes(), cudaMemcpyDeviceToHost,
                          Stream::shared().get()),
          "cudaMemcpyAsync to the host");
    synchronize();
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(n) * sizeof(T),
                          cudaMemcpyDeviceToDevice, Stream::shared().get()),
          "cudaMemcpyAsync on the GPU");
  }
  template <class T>
  static void clear(Index n, T* x) {
    check(cudaMemsetAsync(x, 0, static_cast<std::size_t>(n) * sizeof(T), Stream::shared().get()),
          "cudaMemsetAsync");
  }
  static void synchronize() { Stream::shared().synchronize(); }
  static grid::IndexError* index_error() { return Stream::shared().index_error(); }
};

}  // namespace backend::cuda
#endif
}  // namespace halfstep
