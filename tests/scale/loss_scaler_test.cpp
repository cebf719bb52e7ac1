#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

using Half = halfstep::Setup<MixedFp16, backend::Reference>;
using Rule = optim::UnsafeNearest<optim::SGD>;

/// One weight, its optimizer and a scaler.
template <class Scaling>
struct Training {
  FlatModel<Half> model;
  Optimizer<Rule, Half> optimizer;
  LossScaler<Scaling, Half> scaler;

  explicit Training(const Scaling& scaling = {})
      : optimizer(model.add<float16>("w", {1.0}).parameters(),
                  Rule{optim::SGD{.learning_rate = 0.5}}),
        scaler(model.parameters(), scaling) {}

  Gradients<Scaled, Half> gradients(double value, double loss = 1.0) {
    return model.gradients<Scaled>({value}, scaler.current_scale(), loss);
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
    EXPECT_EQ(training.scaler.state().counters.growth_tracker, tracker);
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
  const scale::State state = training.scaler.state();
  EXPECT_EQ(state.scale, 1024.0);
  EXPECT_EQ(state.counters.growth_tracker, 1);
  EXPECT_EQ(state.counters.skips_in_row, 1);
  EXPECT_EQ(state.counters.unmendable_skips_in_row, 1);
}

TEST(LossScaler, CountsTheSkipsThatALowerScaleCouldNotMend) {
  Training training(DynamicLossScaling{.initial_scale = 2.0});
  const auto counters = [&] { return training.scaler.state().counters; };
  training.round(infinity);  // from 2 to the floor
  EXPECT_EQ(counters(), (scale::Counters{0, 1, 0}));
  training.round(infinity);  // at the floor
  EXPECT_EQ(counters(), (scale::Counters{0, 2, 1}));
  training.round(0.5, infinity);
  EXPECT_EQ(counters(), (scale::Counters{0, 3, 2}));
  training.round(0.5);
  EXPECT_EQ(counters(), (scale::Counters{1, 0, 0}));

  Training fixed(StaticLossScaling{.scale = 8.0});
  fixed.round(nan);
  EXPECT_EQ(fixed.scaler.state().counters, (scale::Counters{0, 1, 1}));
  EXPECT_EQ(fixed.scaler.current_scale(), 8.0);
  Training none(NoLossScaling{});
  none.round(nan);
  EXPECT_EQ(none.scaler.state().counters, (scale::Counters{0, 1, 1}));
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
  Training training(NoLossScaling{});
  EXPECT_TRUE(training.scaler.step(training.optimizer, training.model.gradients({0.5})).applied());
  training.scaler.update();
  EXPECT_EQ(training.model.weights("w")[0], 0.75);
}

TEST(LossScaler, RefusesSettingsThatCannotWorkAndNamesThem) {
  FlatModel<Half> model;
  model.add<float16>("w", {1.0});
  const auto message = [&](const auto& scaling) -> std::string {
    try {
      LossScaler scaler(model.parameters(), scaling);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  const auto names = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  using Dynamic = DynamicLossScaling;
  EXPECT_PRED2(names, message(Dynamic{.initial_scale = 0.0}), "initial_scale = 0");
  EXPECT_PRED2(names, message(Dynamic{.initial_scale = -2.0}), "initial_scale = -2");
  EXPECT_PRED2(names, message(Dynamic{.initial_scale = nan}), "initial_scale = nan");
  EXPECT_PRED2(names, message(Dynamic{.initial_scale = infinity}), "initial_scale = inf");
  EXPECT_PRED2(names, message(Dynamic{.initial_scale = 1e39}), "initial_scale = 1e+39");
  EXPECT_PRED2(names, message(Dynamic{.initial_scale = 0x1p25}), "initial_scale = 3.35544e+07");
  EXPECT_PRED2(names, message(Dynamic{.growth_factor = 1.0}), "growth_factor = 1");
  EXPECT_PRED2(names, message(Dynamic{.growth_factor = nan}), "growth_factor = nan");
  EXPECT_PRED2(names, message(Dynamic{.backoff_factor = 0.0}), "backoff_factor = 0");
  EXPECT_PRED2(names, message(Dynamic{.backoff_factor = 1.0}), "backoff_factor = 1");
  EXPECT_PRED2(names, message(Dynamic{.growth_interval = 0}), "growth_interval = 0");
  EXPECT_PRED2(names, message(Dynamic{.floor = 8.0, .ceiling = 4.0}), "floor = 8");
  EXPECT_PRED2(names, message(Dynamic{.floor = 0.0}), "floor = 0");
  EXPECT_PRED2(names, message(StaticLossScaling{.scale = -1.0}), "scale = -1");
}

TEST(LossScaler, GoesOnFromASavedStateStepForStep) {
  const DynamicLossScaling settings{.initial_scale = 1024.0, .growth_interval = 3};
  const double gradients[] = {0.5, 0.5, infinity, 0.5, 0.5, 0.5, infinity, 0.5};
  Training whole(settings);
  Training first(settings);
  Training second(settings);
  for (int i = 0; i < 4; ++i) {
    whole.round(gradients[i]);
    first.round(gradients[i]);
  }
  second.scaler.load_state(first.scaler.state());
  for (int i = 4; i < 8; ++i) {
    whole.round(gradients[i]);
    second.round(gradients[i]);
    EXPECT_EQ(second.scaler.state(), whole.scaler.state());
  }
}

TEST(LossScaler, RefusesAStateThatItsSettingsCannotHaveAndKeepsItsOwn) {
  Training training(DynamicLossScaling{.initial_scale = 1024.0, .growth_interval = 3});
  const scale::State before = training.scaler.state();
  for (const scale::State& bad :
       {scale::State{nan, {}}, scale::State{-1.0, {}}, scale::State{infinity, {}},
        scale::State{0x1p30, {}}, scale::State{0.5, {}}, scale::State{1.0 + 0x1p-40, {}},
        scale::State{2.0, {3, 0, 0}}, scale::State{2.0, {-1, 0, 0}},
        scale::State{2.0, {0, -1, 0}}}) {
    EXPECT_THROW(training.scaler.load_state(bad), UsageError);
    EXPECT_EQ(training.scaler.state(), before);
  }
  Training fixed(StaticLossScaling{.scale = 8.0});
  EXPECT_THROW(fixed.scaler.load_state({4.0, {}}), UsageError);
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
