#pragma once

#include <halfstep/backend/cuda/stream.hpp>
#include <halfstep/numeric/bfloat16.hpp>
#include <halfstep/precision/product.hpp>

#include <algorithm>
#include <concepts>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// The newest architecture that this file is compiled for: 90 is sm_90. Where PTX is carried along
/// it runs on newer ones too.
#if defined(__CUDA_ARCH_LIST__)
constexpr int newest_architecture = std::max({__CUDA_ARCH_LIST__}) / 10;
#else
constexpr int newest_architecture = 0;
#endif
/// The first one whose tensor cores multiply BF16 and TF32.
inline constexpr int ampere = 80;

/// Whether a policy's parameters, activations or gradients are BF16.
template <class Precision>
inline constexpr bool has_bfloat16 = std::same_as<typename Precision::Parameter, bfloat16> ||
                                     std::same_as<typename Precision::Activation, bfloat16> ||
                                     std::same_as<typename Precision::Gradient, bfloat16>;
template <class Precision>
inline constexpr bool has_tf32 = std::same_as<typename Precision::Product, tf32>;

/// Whether a GPU that this file is compiled for has what the policy needs.
template <class Precision>
constexpr bool is_compiled_for = newest_architecture >= ampere ||
                                 (!has_bfloat16<Precision> && !has_tf32<Precision>);

/// Completing this class says why there is none.
template <class Precision>
struct CompiledFor {
  static constexpr bool value = is_compiled_for<Precision>;
  static_assert(value || !has_bfloat16<Precision>,
                "halfstep: GPUs multiply BF16 from compute capability 8.0 on, and this program is "
                "compiled for older ones only; compile with -arch=sm_80 or later, or choose "
                "MixedFp16");
  static_assert(value || !has_tf32<Precision>,
                "halfstep: GPUs multiply TF32 from compute capability 8.0 on, and this program is "
                "compiled for older ones only; compile with -arch=sm_80 or later, or choose Fp32");
};

/// @throws PrecisionError  the GPU is older than Ampere, and the product needs it
template <class Storage, class Compute>
void require_architecture() {
  constexpr bool bf16 = std::same_as<Storage, bfloat16>;
  if constexpr (bf16 || std::same_as<Compute, tf32>) {
    const int architecture = Stream::shared().architecture();
    if (architecture < ampere)
      fail<PrecisionError>("this GPU multiplies no ", bf16 ? "BF16" : "TF32",
                           ": its compute capability is ", architecture / 10, ".",
                           architecture % 10, " and 8.0 is needed; choose ",
                           bf16 ? "MixedFp16" : "Fp32");
  }
}

}  // namespace halfstep
