#pragma once

#if defined(HALFSTEP_CUDNN)
#include <halfstep/backend/cuda/cudnn.hpp>
#endif
#include <halfstep/backend/cuda/matmul.hpp>
#include <halfstep/backend/cuda/queue.hpp>
#include <halfstep/backend/grid/operations.hpp>

#if !defined(__CUDACC__)
#error "halfstep: backend::Cublas has kernels; compile this file with nvcc (-x cu)"
#endif

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

namespace cuda {

/// max(x, 0), NaN stays NaN: what follows a product whose epilogue does not promise that.
struct ClampBelow {
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(N& x) const {
    x = max(x, N(0));
  }
};

/// x += bias of its column.
template <class T, class Bias>
struct AddBias {
  const Bias* bias;
  Index width;
  HALFSTEP_HOST_DEVICE void operator()(Index at, typename numeric_traits<T>::compute& x) const {
    x = x + storage_cast<typename numeric_traits<T>::compute>(bias[at % width]);
  }
};

struct Products {
  /// FP32, TF32, FP16 and BF16 with FP32 sums, FP64; 16-bit operands may leave FP32 results.
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm =
      Storage<In> && (std::is_same_v<Out, In> || std::is_same_v<Out, float>)&&(
                         std::is_same_v<In, double>
                             ? std::is_same_v<Compute, double>&& std::is_same_v<Out, double>
                             : std::is_same_v<Compute, float> ||
                                   (std::is_same_v<Compute, tf32> && std::is_same_v<In, float>));

  /// @numerics  products on tensor cores, sums in FP32 that truncate: 2^-22 is the roundoff to
  /// count
  ///            with
  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    static_assert(has_gemm<In, Compute, Out>);
    using Scalar = std::conditional_t<std::is_same_v<In, double>, double, float>;
    if (p.batch == 0 || p.m == 0 || p.n == 0) return;
    if constexpr (std::is_same_v<In, bfloat16>) require_bfloat16();
    MatmulKey key{p, data_type<In>, data_type<Out>, compute_type<Compute>, false, {}};
    key.problem.activation = Activation::none;
    key.problem.alpha = 1.0f;
    key.alignments[0] = alignment_of(a);
    key.alignments[1] = alignment_of(b);
    key.alignments[2] = alignment_of(c);
    key.alignments[3] = alignment_of(bias);
    // A bias of another type than C's is added by itself; so is one to no products.
    const bool fused = bias != nullptr && std::is_same_v<Bias, Out> && p.k > 0;
    key.bias = fused;
    if (p.k > 0) {
      MatmulPlans::shared().run(key, static_cast<Scalar>(p.alpha), static_cast<Scalar>(p.beta), a,
                                b, c, fused ? static_cast<const void*>(bias) : nullptr);
    } else if (p.beta == 0.0f) {
      Queue::clear(p.batch * p.m * p.n, c);
    }
    const Index n = p.batch * p.m * p.n;
    if (bias != nullptr && !fused) run(n, AddBias<Out, Bias>{bias, p.n}, c);
    if (p.activation == Activation::relu) run(n, ClampBelow{}, c);
  }

 private:
  /// @throws PrecisionError  the GPU is older than Ampere
  static void require_bfloat16() {
    const int architecture = Stream::shared().architecture();
    if (architecture < 80)
      fail<PrecisionError>("this GPU multiplies no BF16: its compute capability is ",
                           architecture / 10, ".", architecture % 10,
                           " and 8.0 is needed; choose MixedFp16");
  }
  template <class F, class Out>
  static void run(Index n, const F& f, Out* c) {
    using Kernel = grid::ElementKernel<1, F, InOut<Out>>;
    Queue::launch({std::min<Index>(4096, grid::rounded_up(n, 256)), 256},
                  Kernel{f, n, grid::members(InOut<Out>{c})});
  }
};

#if defined(HALFSTEP_CUDNN)
using Operations = LibraryConvolutions<grid::Operations<Queue, Products>, Cudnn>;
#else
using Operations = grid::Operations<Queue, Products>;
#endif

}  // namespace cuda

/// NVIDIA GPUs: products on tensor cores through cuBLASLt, convolutions through cuDNN where the
/// target halfstep::cudnn is linked and it is faster, all else in own kernels.
struct Cublas : cuda::Operations, cuda::Products {
  static constexpr std::string_view name = "cuda";
  using StepGraphs = grid::StepGraphs<cuda::Queue>;
  /// How often the host has waited for the GPU: a training step must not.
  static std::size_t synchronizations() { return cuda::synchronizations(); }
};

}  // namespace backend
}  // namespace halfstep
