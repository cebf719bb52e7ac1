#pragma once

#include <halfstep/backend/cuda/device_block.hpp>
#include <halfstep/backend/cuda/graph.hpp>
#include <halfstep/backend/cuda/stream.hpp>
#include <halfstep/backend/grid/block.hpp>
#include <halfstep/backend/grid/block_cache.hpp>
#include <halfstep/backend/grid/step_graphs.hpp>

#include <cuda_runtime.h>

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend::cuda {

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
  static grid::FreeMemory free_memory() {
    grid::FreeMemory memory;
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
  using Pool = backend::grid::BlockCache<backend::cuda::DeviceMemory>;
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
  using Stream = cudaStream_t;
  using Graph = cuda::Graph;

  static Stream stream() { return cuda::Stream::shared().get(); }
  /// Begins `command(stream)`, or notes it where the thread records a step; see grid/recording.hpp.
  template <class Command>
  static void enqueue(const Command& command, std::span<const std::byte> payload = {}) {
    grid::Enqueue<Stream>::run(command, stream(), payload);
  }

  template <class Kernel>
  static void launch(const grid::GridSize& size, const Kernel& kernel) {
    static_assert(sizeof(Kernel) <= 4096, "halfstep: more than a kernel's parameters may be");
    enqueue(Launch<Kernel>{size, kernel});
  }
  template <class T>
  static bool has_tensor_cores() {
    return DeviceBlock::has_tensor_cores<T>(cuda::Stream::shared().architecture());
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    enqueue(Upload{to}, std::as_bytes(from));
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    grid::refuse_while_recording<Queue>("download");
    check(cudaMemcpyAsync(to.data(), from, to.size_bytes(), cudaMemcpyDeviceToHost, stream()),
          "cudaMemcpyAsync to the host");
    synchronize();
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    enqueue(Copy{from, to, static_cast<std::size_t>(n) * sizeof(T)});
  }
  template <class T>
  static void clear(Index n, T* x) {
    enqueue(Clear{x, static_cast<std::size_t>(n) * sizeof(T)});
  }
  static void synchronize() {
    grid::refuse_while_recording<Queue>("a wait for the device");
    cuda::Stream::shared().synchronize();
  }
  static grid::IndexError* index_error() { return cuda::Stream::shared().index_error(); }

 private:
  template <class Kernel>
  struct Launch {
    grid::GridSize size;
    Kernel kernel;
    void operator()(Stream stream) const {
      run_kernel<<<static_cast<unsigned>(size.blocks), static_cast<unsigned>(size.threads), 0,
                   stream>>>(kernel);
      check(cudaGetLastError(), "a kernel's launch");
    }
  };
  struct Upload {
    void* to;
    void operator()(Stream stream, std::span<const std::byte> from) const {
      // From pageable memory: the source was copied when the call comes back, and a graph's copy
      // reads the recording that the graph was made of, which outlives it.
      check(cudaMemcpyAsync(to, from.data(), from.size(), cudaMemcpyHostToDevice, stream),
            "cudaMemcpyAsync to the GPU");
    }
  };
  struct Copy {
    const void* from;
    void* to;
    std::size_t bytes;
    void operator()(Stream stream) const {
      check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream),
            "cudaMemcpyAsync on the GPU");
    }
  };
  struct Clear {
    void* x;
    std::size_t bytes;
    void operator()(Stream stream) const {
      check(cudaMemsetAsync(x, 0, bytes, stream), "cudaMemsetAsync");
    }
  };
};

}  // namespace backend::cuda
#endif
}  // namespace halfstep
