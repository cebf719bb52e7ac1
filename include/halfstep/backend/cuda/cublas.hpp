#pragma once

#include <halfstep/backend/cuda/products.hpp>
#include <halfstep/backend/cuda/queue.hpp>
#include <halfstep/backend/cuda/visit_plans.hpp>
#include <halfstep/backend/grid/operations.hpp>

#if !defined(__CUDACC__)
#error "halfstep: backend::Cublas has kernels; compile this file with nvcc (-x cu)"
#endif

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// NVIDIA GPUs: products on tensor cores through cuBLASLt, all else in own kernels.
struct Cublas : grid::Operations<cuda::Queue, cuda::Products>, cuda::Products {
  static constexpr std::string_view name = "cuda";
  using StepGraphs = grid::StepGraphs<cuda::Queue>;
  /// How often the host has waited for the GPU: a training step must not.
  static std::size_t synchronizations() { return cuda::synchronizations(); }
  /// Calls visitor(name, tensor) for how products are done, which a race has found, and takes what
  /// the visitor leaves there: a checkpoint's, if it is of this kind of GPU. Waits.
  template <class Visitor>
  static void visit_plans(Visitor&& visitor) {
    cuda::visit_plans<Cublas>(cuda::matmul_plans(), visitor);
  }
};

}  // namespace backend
}  // namespace halfstep
