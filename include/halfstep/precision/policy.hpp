#pragma once

#include <halfstep/numeric/bfloat16.hpp>
#include <halfstep/numeric/float16.hpp>
#include <halfstep/precision/loss_scaling.hpp>
#include <halfstep/precision/product.hpp>
#include <halfstep/precision/update_kind.hpp>

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

// A precision policy is an empty struct that names the type which each role's numbers have. Derive
// from one and change an alias to have your own:
//
//   struct Mine : halfstep::MixedFp16 {
//     static constexpr std::string_view name = "mine";
//     using LossScaling = halfstep::StaticLossScaling;
//   };

/// Everything in 32 bits.
struct Fp32 {
  static constexpr std::string_view name = "fp32";
  using Parameter = float;            ///< weights, as products read them
  using Activation = float;           ///< what layers hand on
  using Gradient = float;             ///< what backward hands back
  using Accumulator = float;          ///< the sums inside products
  using Reduction = float;            ///< norms, softmax, losses, statistics
  using Moment = float;               ///< an optimizer's running averages
  using Master = float;               ///< the weights' full values
  using GradientAccumulator = float;  ///< sums over micro-batches
  using Product = float;              ///< how products compute: float, or the tag tf32
  using LossScaling = NoLossScaling;
  using Update = update::Direct;
};

/// FP32 storage, products in TensorFloat-32.
struct Tf32 : Fp32 {
  static constexpr std::string_view name = "tf32";
  using Product = tf32;
};

/// FP16 storage, FP32 sums, FP32 master weights and dynamic loss scaling (arXiv 1710.03740).
struct MixedFp16 : Fp32 {
  static constexpr std::string_view name = "mixed_fp16";
  using Parameter = float16;
  using Activation = float16;
  using Gradient = float16;
  using LossScaling = DynamicLossScaling;
  using Update = update::MasterWeights;
};

/// BF16 storage, FP32 sums and master weights; BF16 has FP32's range and needs no scaling.
struct MixedBf16 : Fp32 {
  static constexpr std::string_view name = "mixed_bf16";
  using Parameter = bfloat16;
  using Activation = bfloat16;
  using Gradient = bfloat16;
  using Update = update::MasterWeights;
};

/// FP16 without masters and without scaling: what the paper's ablations show to fail.
struct PureFp16 : MixedFp16 {
  static constexpr std::string_view name = "pure_fp16";
  using GradientAccumulator = float16;
  using LossScaling = NoLossScaling;
  using Update = update::UnsafeNearest;
  using AllowUnscaledFloat16 = void;
};

/// BF16 without masters; stochastic rounding keeps small updates alive on average.
struct PureBf16 : MixedBf16 {
  static constexpr std::string_view name = "pure_bf16";
  using GradientAccumulator = bfloat16;
  using Update = update::StochasticRounding;
};

}  // namespace halfstep
