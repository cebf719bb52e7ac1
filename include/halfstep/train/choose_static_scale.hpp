#pragma once

#include <halfstep/autograd/largest_gradient.hpp>
#include <halfstep/nn/module.hpp>
#include <halfstep/train/trainer.hpp>

#include <algorithm>
#include <cmath>

namespace halfstep::inline HALFSTEP_ABI {

/// How a static loss scale is chosen.
struct StaticScaleSettings {
  /// How many steps are trained, where there are as many batches.
  Index steps = 20;
  /// How far under float16's largest number the largest gradient is put: 8 is three binary orders,
  /// room for later gradients that are larger.
  double margin = 8.0;
};

namespace train {

/// The largest power of two with scale * largest <= 65504 / margin.
/// @throws UsageError      margin is not above 1, or every gradient is zero
/// @throws NonFiniteError  no gradient that is not zero is finite
inline StaticLossScaling scale_for(double largest, bool all_finite, double margin) {
  if (!(largest > 0.0)) {
    if (!all_finite)
      fail<NonFiniteError>("choose_static_scale: no gradient other than 0 is finite; look for NaN ",
                           "in the data, or lower the learning rate");
    fail<UsageError>("choose_static_scale: every gradient is 0, and any scale would do; does the ",
                     "loss depend on the model?");
  }
  // frexp's fraction lies in [1/2, 1): its exponent less 1 is the logarithm, rounded down.
  int exponent = 0;
  std::frexp(numeric_traits<float16>::max / margin / largest, &exponent);
  return {.scale = std::ldexp(1.0, std::clamp(exponent - 1, -126, 127))};
}

}  // namespace train

/// Chooses the constant loss scale that a float16 run of this model may take: trains a copy for a
/// few steps where no scale is needed, and takes the power of two that puts the largest finite
/// |gradient|, of parameters and of activations, at a margin under 65504 (Micikevicius et al.,
/// arXiv 1710.03740, section 3.2).
///
///   Classifier<Setup<Fp32>> model;
///   const StaticLossScaling scaling =
///       choose_static_scale(model, optim::AdamW{}, loader, loss, {.margin = 8.0});
///
/// @param model      keeps its weights; of a Setup whose gradients have float's range
/// @param batches    a range of what `loss(model, batch)` takes
/// @param arguments  what the model's constructor was given, if anything
/// @throws UsageError      margin is not above 1, steps is below 1, there is no batch, or every
///                         gradient is zero
/// @throws NonFiniteError  no gradient that is not zero is finite
template <class Model, class Rule, class Batches, class Loss, class... Arguments>
StaticLossScaling choose_static_scale(const Model& model, const Rule& rule, Batches&& batches,
                                      Loss&& loss, const StaticScaleSettings& settings = {},
                                      Arguments&&... arguments) {
  using Setup = typename Model::Setup;
  static_assert(!Setup::LossScaling::scales && !std::same_as<typename Setup::Gradient, float16>,
                "halfstep: a loss scale is read off gradients that need none; build the model "
                "under Fp32 or MixedBf16");
  scale::require(settings.steps >= 1, "StaticScaleSettings", "steps", settings.steps, "at least 1");
  scale::require(settings.margin > 1.0 && std::isfinite(settings.margin), "StaticScaleSettings",
                 "margin", settings.margin, "finite and above 1");
  const auto copy = clone(model, std::forward<Arguments>(arguments)...);
  Trainer trainer(*copy, rule, {.when_stuck = WhenStuck::skip});
  LargestGradient largest;
  Index steps = 0;
  for (const auto& batch : batches) {
    const ObserverScope scope(largest);
    trainer.step(batch, loss);
    if (++steps == settings.steps) break;
  }
  if (steps == 0) fail<UsageError>("choose_static_scale: there is no batch");
  return train::scale_for(largest.value(), largest.finite(), settings.margin);
}

}  // namespace halfstep
