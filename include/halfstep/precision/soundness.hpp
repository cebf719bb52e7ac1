#pragma once

#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/precision/policy.hpp>

#include <concepts>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// A class that names a type for each role; whether the choice is sound is `SoundPolicy`'s to say.
template <class P>
concept PrecisionPolicy = requires {
  { P::name } -> std::convertible_to<std::string_view>;
  requires Storage<typename P::Parameter>;
  requires Storage<typename P::Activation>;
  requires Storage<typename P::Gradient>;
  requires Storage<typename P::Accumulator>;
  requires Storage<typename P::Reduction>;
  requires Storage<typename P::Moment>;
  requires Storage<typename P::Master>;
  requires Storage<typename P::GradientAccumulator>;
  typename P::Product;
  typename P::LossScaling;
  typename P::Update;
};

/// The policy says by name that FP16 gradients may go unscaled.
template <class P>
concept AllowsUnscaledFloat16 = requires {
  typename P::AllowUnscaledFloat16;
};

/// The policy says by name that sums may be kept in 16 bits.
template <class P>
concept Allows16BitAccumulator = requires {
  typename P::Allow16BitAccumulator;
};

/// Completing this class checks a policy against the rules of mixed precision (arXiv 1710.03740,
/// section 3); what breaks one does not compile.
template <PrecisionPolicy P>
struct SoundPolicy {
  static_assert(!std::same_as<typename P::Gradient, float16> || P::LossScaling::scales ||
                    AllowsUnscaledFloat16<P>,
                "halfstep: float16 gradients need loss scaling, or small ones flush to zero; give "
                "the policy DynamicLossScaling or StaticLossScaling, or say AllowUnscaledFloat16");
  static_assert((!numeric_traits<typename P::Accumulator>::is_16_bit &&
                 !numeric_traits<typename P::Reduction>::is_16_bit) ||
                    Allows16BitAccumulator<P>,
                "halfstep: sums kept in 16 bits stall (4096 ones sum to 2048 in FP16); make "
                "Accumulator and Reduction float, or say Allow16BitAccumulator");
  static_assert(!numeric_traits<typename P::Parameter>::is_16_bit ||
                    !std::same_as<typename P::Update, update::Direct>,
                "halfstep: 16-bit parameters must say how small updates survive: make Update "
                "update::MasterWeights, update::SplitMaster, update::StochasticRounding, "
                "update::KahanSum or by name update::UnsafeNearest");
  static_assert(std::same_as<typename P::Gradient, typename P::Activation>,
                "halfstep: backward hands back gradients in the type of what they belong to; make "
                "Gradient the Activation type");
  static constexpr bool value = true;
};

}  // namespace halfstep
