#pragma once

#include <halfstep/backend/default.hpp>
#include <halfstep/numeric/storage_list.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/precision/soundness.hpp>
#include <halfstep/precision/with_precision.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// An option of a layer's own Setup: its output stays in its own Activation type instead of going
/// back to its model's (FP32 logits, say).
struct keep_output {};

/// An option of a model's Setup: layers of it store parameters as `T`, which its own policy does
/// not name (a float16 layer in a bfloat16 model).
template <Storage T>
struct also_stores {
  using Storage = T;
};

namespace detail {
template <class List>
constexpr List stored_types(List list) {
  return list;
}
template <class List, class Option, class... Rest>
constexpr auto stored_types(List list, Option*, Rest*... rest) {
  if constexpr (requires { typename Option::Storage; })
    return stored_types(decltype(list.template with<typename Option::Storage>()){}, rest...);
  else
    return stored_types(list, rest...);
}
/// The backend's own sentence where the program is compiled for no device that has the policy.
template <class Backend, class Precision>
constexpr bool says_what_to_compile_for() {
  if constexpr (requires { typename Backend::template CompiledFor<Precision>; })
    return Backend::template CompiledFor<Precision>::value;
  return true;
}
}  // namespace detail

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
  static_assert(!detail::says_what_to_compile_for<Backend, Precision>() ||
                    has_precision<Backend, Precision>,
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

  /// What a model's parameters may be stored as: the policy's type, FP32 (normalization layers and
  /// layers of their own policy), and what options add.
  using Storages =
      decltype(detail::stored_types(decltype(StorageList<Parameter>{}.template with<float>()){},
                                    static_cast<Options*>(nullptr)...));

  static constexpr bool keeps_output = (std::same_as<Options, keep_output> || ...);
};

}  // namespace halfstep
