#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/debug_scope.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

using Half = halfstep::Setup<MixedFp16, backend::Reference>;

/// MixedFp16 whose micro-batches are added in float16.
struct SixteenBitSums : MixedFp16 {
  static constexpr std::string_view name = "sixteen_bit_sums";
  using GradientAccumulator = float16;
};

/// A float16 and a float parameter, two losses, each with a scale of its own.
struct TwoLosses {
  FlatModel<Half> model;
  Optimizer<optim::UnsafeNearest<optim::SGD>, Half> optimizer;
  LossScaler<DynamicLossScaling, Half> scaler;

  explicit TwoLosses(const DynamicLossScaling& scaling = {.initial_scale = 1024.0},
                     Index losses = 2)
      : optimizer(model.add<float16>("w", {1.0, 1.0}).add<float>("v", {1.0}).parameters(),
                  optim::UnsafeNearest{optim::SGD{.learning_rate = 1.0}}),
        scaler(model.parameters(), scaling, {.losses = losses}) {}

  /// Its gradient is `slope` everywhere.
  Variable<float, backend::Reference> loss(float slope) {
    const auto w = model.store().variable<float16>(0);
    const auto v = model.store().variable<float>(1);
    return sum(cast<float>(w)) * slope + sum(v) * slope;
  }
  Gradients<Scaled, Half> both(float first, float second) {
    auto scaled = backward(scaler.scale(loss(first), 0));
    return backward(scaler.scale(loss(second), 1), std::move(scaled));
  }
  StepReport<backend::Reference> round(float first, float second) {
    auto report = scaler.step(optimizer, both(first, second));
    scaler.update();
    return report;
  }
  /// The scales at which each loss is now.
  void set_scales(double first, double second) {
    scale::State state = scaler.state();
    state.losses[0].scale = first;
    state.losses[1].scale = second;
    scaler.load_state(state);
  }
};

TEST(ScalePerLoss, AddsGradientsOfTwoScalesAsWhatTheyAre) {
  TwoLosses training;
  training.set_scales(4.0, 4096.0);
  // 2^-20 is below float16's normal numbers, and at the first loss's scale it would lose bits; at
  // its own it is exact, and so is the FP32 sum 0.5 + 2^-20.
  auto gradients = training.scaler.unscale(training.both(0.5f, 0x1p-20f));
  EXPECT_EQ(gradients.read("w"), (std::vector<float>{0.5f + 0x1p-20f, 0.5f + 0x1p-20f}));
  EXPECT_EQ(gradients.read("v"), std::vector<float>{0.5f + 0x1p-20f});
  EXPECT_EQ(gradients.norm(), std::sqrt(3.0) * (0.5 + 0x1p-20));
  gradients.release();
  training.scaler.update();
}

TEST(ScalePerLoss, AddsMicroBatchesOfEitherLossInAnyOrder) {
  TwoLosses training;
  training.set_scales(8.0, 1024.0);
  auto scaled = training.both(0.5f, 0.25f);
  scaled = backward(training.scaler.scale(training.loss(1.0f), 0), std::move(scaled));
  scaled = backward(training.scaler.scale(training.loss(2.0f), 1), std::move(scaled));
  auto gradients = training.scaler.unscale(std::move(scaled));
  EXPECT_EQ(gradients.read("w")[1], 3.75f);
  EXPECT_EQ(gradients.read("v")[0], 3.75f);
  EXPECT_EQ(training.scaler.step(training.optimizer, std::move(gradients)).loss(), 3.75 * 3.0);
  training.scaler.update();
  EXPECT_EQ(training.model.weights("w")[0], -2.75);
}

TEST(ScalePerLoss, EachLosssOverflowLowersItsOwnScaleAndSkipsTheStep) {
  TwoLosses training;
  training.set_scales(1024.0, 4.0);
  // 128 at 1024 overflows float16, and at 4 does not.
  EXPECT_FALSE(training.round(128.0f, 128.0f).applied());
  EXPECT_EQ(training.scaler.current_scale(0), 512.0);
  EXPECT_EQ(training.scaler.current_scale(1), 4.0);
  // The other way about; the float parameter overflows in neither.
  training.set_scales(4.0, 1024.0);
  EXPECT_FALSE(training.round(128.0f, 128.0f).applied());
  EXPECT_EQ(training.scaler.current_scale(0), 4.0);
  EXPECT_EQ(training.scaler.current_scale(1), 512.0);
  EXPECT_EQ(training.model.weights("w")[0], 1.0);
  EXPECT_EQ(training.model.weights("v")[0], 1.0);
  training.set_scales(256.0, 256.0);
  EXPECT_TRUE(training.round(128.0f, 128.0f).applied());
  EXPECT_EQ(training.model.weights("v")[0], -255.0);
}

TEST(ScalePerLoss, ABadMicroBatchIsItsOwnLosssWhereverItStands) {
  for (const Index bad : {0, 1}) {
    TwoLosses training;
    auto scaled = training.both(bad == 0 ? 128.0f : 0.5f, bad == 1 ? 128.0f : 0.5f);
    for (const Index which : {0, 1, 0})
      scaled = backward(training.scaler.scale(training.loss(0.5f), which), std::move(scaled));
    EXPECT_FALSE(training.scaler.step(training.optimizer, std::move(scaled)).applied());
    training.scaler.update();
    EXPECT_EQ(training.scaler.current_scale(bad), 512.0);
    EXPECT_EQ(training.scaler.current_scale(1 - bad), 1024.0);
  }
}

TEST(ScalePerLoss, ALossThatIsNanLowersNoScale) {
  TwoLosses training;
  const auto report = training.round(0.5f, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(report.skip_reason(), SkipReason::loss_not_finite);
  EXPECT_EQ(training.scaler.current_scale(0), 1024.0);
  EXPECT_EQ(training.scaler.current_scale(1), 1024.0);
  EXPECT_EQ(training.scaler.skips(), (scale::Skips{1, 1}));
}

/// g -> g * 1e38.
struct Times {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return x * N(1e38f);
  }
};
TEST(ScalePerLoss, WhatATransformBreaksIsNoLosss) {
  TwoLosses training;
  const scale::State before = training.scaler.state();
  auto gradients = training.scaler.unscale(training.both(16.0f, 16.0f));
  gradients.transform(Times{});
  EXPECT_FALSE(training.scaler.step(training.optimizer, std::move(gradients)).applied());
  training.scaler.update();
  EXPECT_EQ(training.scaler.state().losses, before.losses);
  EXPECT_EQ(training.scaler.skips(), (scale::Skips{1, 1}));
}

TEST(ScalePerLoss, SavesAndRestoresEveryScale) {
  const DynamicLossScaling settings{.initial_scale = 1024.0, .growth_interval = 2};
  TwoLosses training(settings);
  training.round(128.0f, 0.5f);
  training.round(0.5f, 0.5f);
  TwoLosses resumed(settings);
  resumed.scaler.visit_state([&](const std::string& name, auto& tensor) {
    using T = typename std::remove_reference_t<decltype(tensor)>::Element;
    training.scaler.visit_state([&](const std::string& other, auto& from) {
      using From = typename std::remove_reference_t<decltype(from)>::Element;
      if constexpr (std::is_same_v<T, From>) {
        if (name != other) return;
        ASSERT_EQ(tensor.shape(), from.shape());
        std::copy(from.span().begin(), from.span().end(), tensor.span().begin());
      }
    });
  });
  EXPECT_EQ(resumed.scaler.state(), training.scaler.state());
  EXPECT_EQ(resumed.scaler.current_scale(0), 512.0);
  EXPECT_EQ(resumed.scaler.current_scale(1), 2048.0);

  TwoLosses of_three(settings, 3);
  const scale::State before = of_three.scaler.state();
  EXPECT_THROW(of_three.scaler.load_state(training.scaler.state()), UsageError);
  EXPECT_EQ(of_three.scaler.state(), before);
}

TEST(ScalePerLoss, RefusesLossesThatItDoesNotKnow) {
  TwoLosses training;
  const auto loss = training.loss(1.0f);
  EXPECT_THROW(training.scaler.scale(loss, 2), UsageError);
  EXPECT_THROW(training.scaler.scale(loss, -1), UsageError);
  EXPECT_THROW(TwoLosses({}, 0), UsageError);
  // A loss that backward cannot take leaves the sums as they are.
  auto scaled = training.both(0.5f, 0.25f);
  const auto of_two = cast<float>(training.model.store().variable<float16>(0));
  EXPECT_THROW(scaled = backward(training.scaler.scale(of_two, 1), std::move(scaled)), ShapeError);
  auto gradients = training.scaler.unscale(std::move(scaled));
  EXPECT_EQ(gradients.read("w")[0], 0.75f);
  EXPECT_EQ(gradients.read("v")[0], 0.75f);
}

TEST(ScalePerLoss, RefusesToAddAnotherModelsGradientsIn16Bits) {
  // Its own model is refused by type; see compile_fail/scale_per_loss_in_16_bits.cpp.
  TwoLosses training;
  FlatModel<halfstep::Setup<SixteenBitSums, backend::Reference>> other;
  other.add<float16>("w", {1.0}).parameters();
  const auto loss = [&] { return sum(cast<float>(other.store().variable<float16>(0))); };
  auto scaled = backward(training.scaler.scale(loss(), 0), other.parameters());
  EXPECT_THROW(scaled = backward(training.scaler.scale(loss(), 1), std::move(scaled)),
               PrecisionError);
}

TEST(ScalePerLoss, APassThatThrowsLeavesTheSumsAsTheyWere) {
  TwoLosses training;
  auto scaled = training.both(0.5f, 0.25f);
  const auto bad = training.loss(std::numeric_limits<float>::infinity());
  {
    const DebugScope debug;
    EXPECT_THROW(scaled = backward(training.scaler.scale(bad, 1), std::move(scaled)),
                 NonFiniteError);
  }
  auto gradients = training.scaler.unscale(std::move(scaled));
  EXPECT_EQ(gradients.read("w")[0], 0.75f);
  EXPECT_EQ(gradients.read("v")[0], 0.75f);
}

TEST(ScalePerLoss, OneScaleIsWhatItWasWithoutTheMode) {
  TwoLosses training({.initial_scale = 1024.0}, 1);
  auto scaled = backward(training.scaler.scale(training.loss(0.5f)));
  scaled = backward(training.scaler.scale(training.loss(0.25f)), std::move(scaled));
  EXPECT_TRUE(training.scaler.step(training.optimizer, std::move(scaled)).applied());
  training.scaler.update();
  EXPECT_EQ(training.model.weights("v")[0], 0.25);
}

}  // namespace
}  // namespace halfstep::test
