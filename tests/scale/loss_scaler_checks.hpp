#pragma once

#include "support/backend_test.hpp"
#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

// What a loss scaler does on every backend.
namespace halfstep::test {

/// A model of two float16 weights and its optimizer, a plain step of the gradient.
template <class B>
struct Part {
  using S = halfstep::Setup<MixedFp16, B>;

  FlatModel<S> model;
  Optimizer<optim::MasterWeights<optim::SGD>, S> optimizer;

  Part()
      : optimizer(model.template add<float16>("w", {1.0, 1.0}).parameters(),
                  optim::MasterWeights{optim::SGD{.learning_rate = 1.0}}) {}

  Parameters<S> parameters() { return model.parameters(); }
  /// Its gradient is `slope` everywhere.
  Variable<float, B> loss(float slope) {
    return sum(cast<float>(model.store().template variable<float16>(0))) * slope;
  }
  float weight() { return model.store().read(0)[1]; }
};

template <class B>
class LossScalerOn : public BackendTest<B> {
 protected:
  /// How often the host has waited for the device.
  static std::size_t waits() {
    if constexpr (requires { B::synchronizations(); })
      return B::synchronizations();
    else
      return 0;
  }
};
TYPED_TEST_SUITE_P(LossScalerOn);

TYPED_TEST_P(LossScalerOn, TwoModelsUnderOneLossSkipAlone) {
  Part<TypeParam> a;
  Part<TypeParam> b;
  LossScaler scaler(a.parameters(), DynamicLossScaling{.initial_scale = 1024.0});
  const std::size_t before = this->waits();
  auto [of_a, of_b] =
      backward(scaler.scale(a.loss(0.5f) + b.loss(128.0f)), a.parameters(), b.parameters());
  auto unscaled = scaler.unscale(std::move(of_a));
  optim::clip_norm(unscaled, 100.0);
  const auto report_a = scaler.step(a.optimizer, std::move(unscaled));
  const auto report_b = scaler.step(b.optimizer, std::move(of_b));
  scaler.update();
  EXPECT_EQ(this->waits(), before) << "nothing in a round waits";
  EXPECT_TRUE(report_a.applied());
  EXPECT_EQ(report_b.skip_reason(), SkipReason::gradients_not_finite);
  EXPECT_EQ(a.weight(), 0.5f);
  EXPECT_EQ(b.weight(), 1.0f);
  EXPECT_EQ(scaler.current_scale(), 512.0);
}

TYPED_TEST_P(LossScalerOn, TwoLossesAndTwoOptimizersShareAScale) {
  Part<TypeParam> a;
  Part<TypeParam> b;
  LossScaler scaler(a.parameters(),
                    DynamicLossScaling{.initial_scale = 256.0, .growth_interval = 2});
  const std::size_t before = this->waits();
  for (int round = 0; round < 2; ++round) {
    auto of_a = backward(scaler.scale(a.loss(0.25f)));
    of_a = backward(scaler.scale(a.loss(0.125f)), std::move(of_a));
    // Another model, a loss of its own, the same scale.
    auto of_b = backward(scaler.scale(b.loss(0.25f)), b.parameters());
    of_b = backward(scaler.scale(b.loss(0.25f)), std::move(of_b));
    scaler.step(a.optimizer, std::move(of_a));
    scaler.step(b.optimizer, std::move(of_b));
    scaler.update();
  }
  EXPECT_EQ(this->waits(), before);
  EXPECT_EQ(a.weight(), 0.25f);
  EXPECT_EQ(b.weight(), 0.0f);
  EXPECT_EQ(scaler.current_scale(), 512.0) << "two optimizers make one round";
}

TYPED_TEST_P(LossScalerOn, AScaleForEachLossAdaptsOnTheDevice) {
  Part<TypeParam> a;
  LossScaler scaler(a.parameters(), DynamicLossScaling{.initial_scale = 1024.0}, {.losses = 2});
  const std::size_t before = this->waits();
  std::vector<StepReport<TypeParam>> reports;
  for (int round = 0; round < 3; ++round) {
    auto scaled = backward(scaler.scale(a.loss(0.25f), 0));
    scaled = backward(scaler.scale(a.loss(128.0f), 1), std::move(scaled));
    reports.push_back(scaler.step(a.optimizer, std::move(scaled)));
    scaler.update();
  }
  EXPECT_EQ(this->waits(), before);
  // 128 at 1024 and at 512 overflows; at 256 it does not.
  EXPECT_FALSE(reports[0].applied());
  EXPECT_FALSE(reports[1].applied());
  EXPECT_TRUE(reports[2].applied());
  EXPECT_EQ(scaler.current_scale(0), 1024.0);
  EXPECT_EQ(scaler.current_scale(1), 256.0);
  EXPECT_EQ(a.weight(), 1.0f - 128.25f);
}

REGISTER_TYPED_TEST_SUITE_P(LossScalerOn, TwoModelsUnderOneLossSkipAlone,
                            TwoLossesAndTwoOptimizersShareAScale,
                            AScaleForEachLossAdaptsOnTheDevice);

}  // namespace halfstep::test
