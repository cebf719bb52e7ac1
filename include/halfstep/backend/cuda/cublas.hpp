#pragma once

#include <halfstep/backend/cuda/architecture.hpp>
#if defined(HALFSTEP_CUDNN)
#include <halfstep/backend/cuda/cudnn.hpp>
#endif
#include <halfstep/backend/cuda/mailbox.hpp>
#include <halfstep/backend/cuda/matmul.hpp>
#include <halfstep/backend/cuda/products.hpp>
#include <halfstep/backend/cuda/queue.hpp>
#include <halfstep/backend/cuda/upload_runtime.hpp>
#include <halfstep/backend/cuda/uploader.hpp>
#include <halfstep/backend/cuda/visit_plans.hpp>
#include <halfstep/backend/grid/operations.hpp>

#if !defined(__CUDACC__)
#error "halfstep: backend::Cublas has kernels; compile this file with nvcc (-x cu)"
#endif

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

namespace cuda {
using CublasProducts = Products<Queue, MatmulRuntime>;
#if defined(HALFSTEP_CUDNN)
using Operations = LibraryConvolutions<grid::Operations<Queue, CublasProducts>, Cudnn>;
#else
using Operations = grid::Operations<Queue, CublasProducts>;
#endif
}  // namespace cuda

/// NVIDIA GPUs: products on tensor cores through cuBLASLt, convolutions through cuDNN where the
/// target halfstep::cudnn is linked and it is faster, all else in own kernels.
struct Cublas : cuda::Operations, cuda::CublasProducts {
  static constexpr std::string_view name = "cuda";
  using Uploader = cuda::Uploader<cuda::UploadRuntime>;
  static Mailbox mailbox() { return cuda::mailbox(); }
  template <class Precision>
  static constexpr bool is_compiled_for = cuda::is_compiled_for<Precision>;
  template <class Precision>
  using CompiledFor = cuda::CompiledFor<Precision>;
  using StepGraphs = grid::StepGraphs<cuda::Queue>;
  /// How often the host has waited for the GPU: a training step must not.
  static std::size_t synchronizations() { return cuda::synchronizations(); }
  /// Calls visitor(name, tensor) for how products and convolutions are done, which races have
  /// found, and takes what the visitor leaves there: a checkpoint's, if it is of this kind of GPU.
  /// Waits.
  template <class Visitor>
  static void visit_plans(Visitor&& visitor) {
    cuda::visit_plans<Cublas>(Plans::shared(), visitor);
#if defined(HALFSTEP_CUDNN)
    cuda::visit_plans<Cublas>(cuda::ConvolutionRace<cuda::Cudnn>::shared(), visitor,
                              "machine_of_convolutions", "convolutions");
#endif
  }
};

}  // namespace backend
}  // namespace halfstep
