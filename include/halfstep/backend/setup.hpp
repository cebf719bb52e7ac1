#pragma once

#include <halfstep/backend/default.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/precision/soundness.hpp>
#include <halfstep/precision/with_precision.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// An option of a layer's own Setup: its output stays in its own Activation type instead of going
/// back to its model's (FP32 logits, say).
struct keep_output {};

/// A precision policy on a backend: what layers and trainers are templates of.
///
/// Completing the class checks the policy and that the backend has its products; a Setup that is
/// not sound is refused with the sentence that says why.
template <class Precision_, class Backend_ = backend::Default, class... Options>
struct Setup {
  using Precision = Precision_;
  using Backend = Backend_;
  using Device = typename Backend::DeviceType;

  static_assert(PrecisionPolicy<Precision>,
                "halfstep: a precision policy names a type for every role; derive from Fp32, "
                "MixedFp16 or MixedBf16 and change what differs");
  static_assert(SoundPolicy<Precision>::value);
  static_assert(has_precision<Backend, Precision>,
                "halfstep: this backend has no matrix product for the policy's types; choose "
                "another policy (TF32 needs a GPU) or backend");

  using Parameter = typename Precision::Parameter;
  using Activation = typename Precision::Activation;
  using Gradient = typename Precision::Gradient;
  using Accumulator = typename Precision::Accumulator;
  using Reduction = typename Precision::Reduction;
  using Moment = typename Precision::Moment;
  using Master = typename Precision::Master;
  using GradientAccumulator = typename Precision::GradientAccumulator;
  /// The compute type of products: the accumulator, or the tag tf32.
  using Compute = std::conditional_t<std::same_as<typename Precision::Product, tf32>, tf32,
                                     typename Precision::Accumulator>;
  using LossScaling = typename Precision::LossScaling;

  /// The same backend under another policy, for one layer.
  template <class Other, class... OtherOptions>
  using with = Setup<Other, Backend, OtherOptions...>;

  static constexpr bool keeps_output = (std::same_as<Options, keep_output> || ...);
};

}  // namespace halfstep
