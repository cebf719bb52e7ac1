#pragma once

#include <halfstep/backend/cuda/cublas.hpp>

#include "support/backend_test.hpp"

namespace halfstep::test {

/// Tests of the CUDA backend run where there is a GPU; what else may be wrong with it fails them.
template <>
struct Machine<backend::Cublas> {
  template <class... Storages>
  static std::string lacks() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver ||
        (status == cudaSuccess && count == 0)) {
      static_cast<void>(cudaGetLastError());
      return std::string("this test needs an NVIDIA GPU and its driver: ") +
             cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status);
    }
    const bool bfloat = (std::is_same_v<Storages, bfloat16> || ...);
    const int architecture = bfloat ? backend::cuda::Stream::shared().architecture() : 80;
    if (architecture < 80)
      return "this test needs a GPU that multiplies BF16, of compute capability 8.0; this one "
             "has " +
             std::to_string(architecture / 10) + "." + std::to_string(architecture % 10);
    return {};
  }
  /// Tensor cores truncate where they add up.
  template <class S, class Compute = typename numeric_traits<S>::compute>
  static constexpr double product_roundoff =
      numeric_traits<S>::is_16_bit || std::is_same_v<Compute, tf32>
          ? 0x1p-22
          : numeric_traits<typename numeric_traits<S>::compute>::unit_roundoff;
};

}  // namespace halfstep::test
