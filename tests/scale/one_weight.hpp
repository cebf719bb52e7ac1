#pragma once

#include "support/flat_model.hpp"

#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

#include <string>

namespace halfstep::test {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

using Half = halfstep::Setup<MixedFp16, backend::Reference>;
using Bf16 = halfstep::Setup<MixedBf16, backend::Reference>;
using Rule = optim::UnsafeNearest<optim::SGD>;

/// One weight, its optimizer and a scaler.
template <class Scaling, class S = Half>
struct Training {
  FlatModel<S> model;
  Optimizer<Rule, S> optimizer;
  LossScaler<Scaling, S> scaler;

  explicit Training(const Scaling& scaling = {})
      : optimizer(model.template add<typename S::Parameter>("w", {1.0}).parameters(),
                  Rule{optim::SGD{.learning_rate = 0.5}}),
        scaler(model.parameters(), scaling) {}

  Gradients<Scaled, S> gradients(double value, double loss = 1.0) {
    return model.template gradients<Scaled>({value}, scaler.current_scale(), loss);
  }
  /// One round: a step with this gradient, and update().
  StepReport<backend::Reference> round(double gradient, double loss = 1.0) {
    auto report = scaler.step(optimizer, gradients(gradient, loss));
    scaler.update();
    return report;
  }
};
template <class Scaling>
Training(const Scaling&) -> Training<Scaling>;

/// A saved state: growth tracker, skips in a row, those of them that no scale could mend.
inline scale::State saved(double scale, std::int64_t tracker = 0, std::int64_t skips = 0,
                          std::int64_t unmendable = 0) {
  scale::State state;
  state.losses = {{scale, {.growth_tracker = tracker}}};
  state.skips = {skips, unmendable};
  return state;
}
inline std::int64_t growth_tracker(const scale::State& state) {
  return state.losses.at(0).trackers.growth_tracker;
}
template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}
inline bool names(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace halfstep::test
