#include "scale/one_weight.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>

namespace halfstep::test {
namespace {

TEST(LossScaler, StartsWithGradScalersDefaults) {
  Training training(DynamicLossScaling{});
  EXPECT_EQ(training.scaler.current_scale(), 65536.0);
  const DynamicLossScaling& settings = training.scaler.scaling();
  EXPECT_EQ(settings.growth_factor, 2.0);
  EXPECT_EQ(settings.backoff_factor, 0.5);
  EXPECT_EQ(settings.growth_interval, 2000);
}

TEST(LossScaler, GrowsAfterGoodRoundsInARowAndShrinksAfterABadOne) {
  Training training(DynamicLossScaling{.initial_scale = 1024.0, .growth_interval = 3});
  // gradient, scale after, tracker after
  const std::tuple<double, double, int> table[] = {
      {0.5, 1024, 1},      {0.5, 1024, 2}, {0.5, 2048, 0}, {0.5, 2048, 1},
      {infinity, 1024, 0}, {nan, 512, 0},  {0.5, 512, 1},  {0.5, 512, 2},
      {infinity, 256, 0},  {0.5, 256, 1},  {0.5, 256, 2},  {0.5, 512, 0}};
  for (const auto& [gradient, scale, tracker] : table) {
    const auto report = training.round(gradient);
    EXPECT_EQ(report.applied(), std::isfinite(gradient));
    EXPECT_EQ(training.scaler.current_scale(), scale);
    EXPECT_EQ(growth_tracker(training.scaler.state()), tracker);
  }
}

TEST(LossScaler, StaysBetweenFloorAndCeiling) {
  Training training(
      DynamicLossScaling{.initial_scale = 4.0, .growth_interval = 1, .floor = 2.0, .ceiling = 8.0});
  for (const double scale : {8.0, 8.0}) {
    training.round(0.5);
    EXPECT_EQ(training.scaler.current_scale(), scale);
  }
  for (const double scale : {4.0, 2.0, 2.0}) {
    training.round(infinity);
    EXPECT_EQ(training.scaler.current_scale(), scale);
  }
}

TEST(LossScaler, NeverGrowsToInfinity) {
  Training training(DynamicLossScaling{
      .initial_scale = 0x1p127, .growth_interval = 1, .ceiling = numeric_traits<float>::max});
  for (int i = 0; i < 3; ++i) {
    training.scaler.step(training.optimizer, training.gradients(0.0));
    training.scaler.update();
    EXPECT_EQ(training.scaler.current_scale(), 0x1p127);
  }
}

TEST(LossScaler, DoesNotAnswerALossThatIsNotFiniteByLoweringTheScale) {
  Training training(DynamicLossScaling{.initial_scale = 1024.0, .growth_interval = 3});
  training.round(0.5);
  const auto report = training.round(nan, nan);
  EXPECT_EQ(report.skip_reason(), SkipReason::loss_not_finite);
  EXPECT_EQ(training.scaler.state(), saved(1024.0, 1, 1, 1));
}

TEST(LossScaler, CountsTheSkipsThatALowerScaleCouldNotMend) {
  Training training(DynamicLossScaling{.initial_scale = 2.0});
  training.round(infinity);  // from 2 to the floor
  EXPECT_EQ(training.scaler.state(), saved(1.0, 0, 1, 0));
  training.round(infinity);  // at the floor
  EXPECT_EQ(training.scaler.state(), saved(1.0, 0, 2, 1));
  training.round(0.5, infinity);
  EXPECT_EQ(training.scaler.state(), saved(1.0, 0, 3, 2));
  training.round(0.5);
  EXPECT_EQ(training.scaler.state(), saved(1.0, 1, 0, 0));

  Training fixed(StaticLossScaling{.scale = 8.0});
  fixed.round(nan);
  EXPECT_EQ(fixed.scaler.state(), saved(8.0, 0, 1, 1));
  Training<NoLossScaling, Bf16> none;
  none.round(nan);
  EXPECT_EQ(none.scaler.skips(), (scale::Skips{1, 1}));
  EXPECT_EQ(none.scaler.current_scale(), 1.0);
}

TEST(LossScaler, EachOptimizerSkipsAlone) {
  Training training(DynamicLossScaling{.initial_scale = 8.0});
  Training other(DynamicLossScaling{.initial_scale = 8.0});
  EXPECT_FALSE(training.scaler.step(training.optimizer, training.gradients(infinity)).applied());
  EXPECT_TRUE(training.scaler.step(other.optimizer, other.gradients(0.5)).applied());
  training.scaler.update();
  EXPECT_EQ(training.scaler.current_scale(), 4.0);
  EXPECT_EQ(training.model.weights("w")[0], 1.0);
  EXPECT_EQ(other.model.weights("w")[0], 0.75);
}

/// g -> g * factor, in a transform.
struct Times {
  float factor;
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return x * N(factor);
  }
};
TEST(LossScaler, SeesGradientsThatBecameBadBetweenUnscaleAndStep) {
  Training training(DynamicLossScaling{.initial_scale = 8.0});
  auto gradients = training.scaler.unscale(training.gradients(0.5));
  gradients.transform(Times{1e30f});
  EXPECT_FALSE(training.scaler.step(training.optimizer, std::move(gradients)).applied());
  training.scaler.update();
  EXPECT_EQ(training.scaler.current_scale(), 4.0);
}

TEST(LossScaler, UnscaledGradientsOfEveryNormalNumberAreExact) {
  using Model = FlatModel<Half>;
  for (const double scale : {2.0, 256.0, 65536.0, 0x1p24}) {
    std::vector<double> values;
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      const double stored =
          storage_cast<double>(float16::from_bits(static_cast<std::uint16_t>(bits)));
      if (std::isfinite(stored) && std::fabs(stored) >= numeric_traits<float16>::min_normal)
        values.push_back(stored / scale);
    }
    Model model;
    model.add<float16>("w", std::vector<double>(values.size(), 0.0));
    LossScaler scaler(model.parameters(), StaticLossScaling{.scale = scale});
    auto gradients = scaler.unscale(model.gradients<Scaled>(values, scale));
    const std::vector<float> read = gradients.read("w");
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(read[i], values[i]);
  }
}

TEST(LossScaler, RefusesCallsOutOfOrder) {
  Training training(DynamicLossScaling{.initial_scale = 8.0});
  auto& [model, optimizer, scaler] = training;
  EXPECT_THROW(scaler.update(), UsageError);
  {
    auto unscaled = scaler.unscale(training.gradients(0.5));
    { auto dropped = std::move(unscaled); }
    EXPECT_THROW(static_cast<void>(scaler.unscale(training.gradients(0.5))), UsageError);
  }
  scaler.update();  // unscaled, looked at, and let go: a round too

  scaler.step(optimizer, training.gradients(0.5));
  EXPECT_THROW(static_cast<void>(scaler.unscale(training.gradients(0.5))), UsageError);
  EXPECT_THROW(scaler.step(optimizer, training.gradients(0.5)), UsageError);
  EXPECT_THROW(scaler.load_state(scaler.state()), UsageError);
  EXPECT_THROW(scaler.visit_state([](const std::string&, const auto&) {}), UsageError);
  EXPECT_THROW(scaler.set_scaling({}), UsageError);
  scaler.update();
  EXPECT_THROW(scaler.update(), UsageError);

  // Gradients that never were under this scale.
  EXPECT_THROW(scaler.step(optimizer, model.gradients({0.5})), UsageError);
  // update() between unscale and step.
  auto late = scaler.unscale(training.gradients(0.5));
  scaler.update();
  EXPECT_THROW(scaler.step(optimizer, std::move(late)), UsageError);
}

TEST(LossScaler, WithoutScalingTakesUnscaledGradientsToo) {
  Training<NoLossScaling, Bf16> training;
  EXPECT_TRUE(training.scaler.step(training.optimizer, training.model.gradients({0.5})).applied());
  training.scaler.update();
  EXPECT_EQ(training.model.weights("w")[0], 0.75);
}

TEST(LossScaler, ToleratesOverflowsUpToItsHysteresis) {
  Training training(
      DynamicLossScaling{.initial_scale = 1024.0, .growth_interval = 2, .hysteresis = 2});
  // gradient, scale after, overflows tolerated after; as Megatron-LM's DynamicGradScaler
  const std::tuple<double, double, int> table[] = {
      {infinity, 1024, 1},                      // the first is tolerated
      {0.5, 1024, 1},      {infinity, 512, 1},  // a good step between does not restore the count
      {infinity, 256, 1},                       // from the second on each one shrinks
      {0.5, 256, 1},       {0.5, 512, 0},       // growth restores it
      {infinity, 512, 1},  {infinity, 256, 1}};
  for (const auto& [gradient, scale, tolerated] : table) {
    training.round(gradient);
    EXPECT_EQ(training.scaler.current_scale(), scale);
    EXPECT_EQ(training.scaler.state().losses[0].trackers.overflows_tolerated, tolerated);
  }
  EXPECT_EQ(training.scaler.skips(), (scale::Skips{2, 0})) << "a lower scale can still mend them";
}

TEST(LossScaler, RefusesGradientsThatAnotherScalerHasScaled) {
  Training training(StaticLossScaling{.scale = 16.0});
  LossScaler other(training.model.parameters(), StaticLossScaling{.scale = 16.0});
  const auto loss = [&] {
    const auto w = training.model.store().variable<float16>(0);
    return sum(cast<float>(w * w));
  };
  {
    auto scaled = backward(other.scale(loss()));
    EXPECT_THROW(static_cast<void>(training.scaler.unscale(std::move(scaled))), UsageError);
    EXPECT_PRED2(names, message_of([&] {
                   scaled = backward(training.scaler.scale(loss()), std::move(scaled));
                 }),
                 "another scaler");
    EXPECT_TRUE(other.step(training.optimizer, std::move(scaled)).applied()) << "nothing was lost";
    other.update();
  }
  EXPECT_PRED2(names, message_of([&] { training.scaler.scale(loss(), 1); }), "losses 0 to 0");
}

TEST(LossScaler, RefusesToAddUnderAScaleThatMayHaveChanged) {
  Training training(DynamicLossScaling{.initial_scale = 16.0, .growth_interval = 1});
  Training other(StaticLossScaling{.scale = 1.0});
  const auto loss = [&] {
    const auto w = training.model.store().variable<float16>(0);
    return sum(cast<float>(w * w));
  };
  auto scaled = backward(training.scaler.scale(loss()));
  training.scaler.step(other.optimizer, other.gradients(0.5));
  training.scaler.update();
  EXPECT_PRED2(names, message_of([&] {
                 scaled = backward(training.scaler.scale(loss()), std::move(scaled));
               }),
               "update() was called since");
  EXPECT_TRUE(training.scaler.step(training.optimizer, std::move(scaled)).applied());
  EXPECT_EQ(training.model.weights("w")[0], 0.0) << "the token knows its own scale";
}

TEST(LossScaler, ScalesTheGradientsOfALossAndTakesTheScaleOff) {
  Training training(StaticLossScaling{.scale = 1024.0});
  auto& [model, optimizer, scaler] = training;
  const auto w = model.store().variable<float16>(0);
  // d/dw of w^2 at 1 is 2.
  auto scaled = backward(scaler.scale(sum(cast<float>(w * w))));
  EXPECT_EQ(storage_cast<float>(model.store().segment_of(0).has_gradients()
                                    ? static_cast<autograd::Segment<float16, backend::Reference>&>(
                                          model.store().segment_of(0))
                                          .gradients()
                                          .data()[0]
                                    : float16()),
            2048.0f);
  auto gradients = scaler.unscale(std::move(scaled));
  EXPECT_EQ(gradients.read("w")[0], 2.0f);
  EXPECT_EQ(gradients.norm(), 2.0);
  const auto report = scaler.step(optimizer, std::move(gradients));
  EXPECT_EQ(report.loss(), 1.0);
  EXPECT_EQ(report.loss_scale(), 1024.0);
  EXPECT_EQ(model.weights("w")[0], 0.0);
}

TEST(LossScaler, SeveralModelsUnderOneLossGetATokenEach) {
  Training a(StaticLossScaling{.scale = 16.0});
  Training b(StaticLossScaling{.scale = 16.0});
  const auto x = a.model.store().variable<float16>(0);
  const auto y = b.model.store().variable<float16>(0);
  {
    auto [of_a, of_b] = backward(a.scaler.scale(sum(cast<float>(x * y + y))), a.model.parameters(),
                                 b.model.parameters());
    EXPECT_TRUE(a.scaler.step(a.optimizer, std::move(of_a)).applied());
    EXPECT_TRUE(a.scaler.step(b.optimizer, std::move(of_b)).applied());
    a.scaler.update();
  }
  EXPECT_EQ(a.model.weights("w")[0], 0.5);
  EXPECT_EQ(b.model.weights("w")[0], 0.0);
  const auto z = a.model.store().variable<float16>(0);
  EXPECT_THROW(
      backward(a.scaler.scale(sum(cast<float>(z * z))), a.model.parameters(), a.model.parameters()),
      UsageError);
}

}  // namespace
}  // namespace halfstep::test
