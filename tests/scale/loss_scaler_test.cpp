#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

#include <map>

namespace halfstep::test {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

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
scale::State saved(double scale, std::int64_t tracker = 0, std::int64_t skips = 0,
                   std::int64_t unmendable = 0) {
  scale::State state;
  state.losses = {{scale, {.growth_tracker = tracker}}};
  state.skips = {skips, unmendable};
  return state;
}
std::int64_t growth_tracker(const scale::State& state) {
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
bool names(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

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

TEST(LossScaler, DisabledKeepsAScaleOfOneAndTheFiniteCheck) {
  Training<DynamicLossScaling, Bf16> training(
      {.initial_scale = 1024.0, .growth_interval = 1, .enabled = false});
  auto& scaler = training.scaler;
  EXPECT_FALSE(scaler.is_enabled());
  EXPECT_TRUE(training.round(0.25).applied());
  EXPECT_EQ(scaler.current_scale(), 1.0) << "it would have grown";
  EXPECT_FALSE(training.round(infinity).applied());
  EXPECT_EQ(scaler.current_scale(), 1.0);
  EXPECT_EQ(scaler.skips(), (scale::Skips{1, 1})) << "no lower scale could mend it";
  EXPECT_TRUE(scaler.step(training.optimizer, training.model.gradients({0.25})).applied())
      << "gradients that never were scaled";
  scaler.update();
  EXPECT_EQ(training.model.weights("w")[0], 0.75);
  scaler.update(256.0);
  EXPECT_EQ(scaler.current_scale(), 1.0);
  Training<StaticLossScaling, Bf16> fixed({.scale = 8.0, .enabled = false});
  EXPECT_EQ(fixed.scaler.current_scale(), 1.0);
}

TEST(LossScaler, WillNotBeDisabledWhereGradientsAreFloat16) {
  const auto built = [](const auto& scaling) {
    return message_of([&] { Training training(scaling); });
  };
  EXPECT_PRED2(names, built(DynamicLossScaling{.enabled = false}), "MixedBf16");
  EXPECT_THROW(Training(StaticLossScaling{.enabled = false}), PrecisionError);
  // Who says by name that they may go unscaled, may.
  using Pure = halfstep::Setup<PureFp16, backend::Reference>;
  EXPECT_NO_THROW((Training<DynamicLossScaling, Pure>({.enabled = false})));
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

TEST(LossScaler, TakesTheScaleThatItsCallerChooses) {
  Training training(DynamicLossScaling{.initial_scale = 1024.0, .growth_interval = 3});
  training.round(0.5);
  training.scaler.step(training.optimizer, training.gradients(infinity));
  training.scaler.update(64.0);
  EXPECT_EQ(training.scaler.state(), saved(64.0, 1)) << "what the round has shown is forgotten";
  training.round(0.5);
  EXPECT_EQ(training.scaler.state(), saved(64.0, 2));
  for (const double bad : {0.0, -1.0, nan, infinity, 0.5, 0x1p25})
    EXPECT_THROW(training.scaler.update(bad), UsageError);
  EXPECT_EQ(training.scaler.state(), saved(64.0, 2));
  Training fixed(StaticLossScaling{.scale = 8.0});
  EXPECT_THROW(fixed.scaler.update(4.0), UsageError);
}

TEST(LossScaler, GoesOnUnderOtherSettings) {
  Training training(DynamicLossScaling{.initial_scale = 1024.0, .growth_interval = 100});
  for (int i = 0; i < 5; ++i) training.round(0.5);
  training.scaler.set_scaling({.growth_factor = 4.0, .growth_interval = 3});
  EXPECT_EQ(training.scaler.state(), saved(1024.0, 2)) << "the most that the interval allows";
  training.round(0.5);
  EXPECT_EQ(training.scaler.current_scale(), 4096.0);
  EXPECT_PRED2(names, message_of([&] { training.scaler.set_scaling({.growth_factor = 0.5}); }),
               "growth_factor = 0.5");
  EXPECT_PRED2(names, message_of([&] {
                 training.scaler.set_scaling({.initial_scale = 4.0, .ceiling = 8.0});
               }),
               "scale = 4096");
  EXPECT_THROW(training.scaler.set_scaling({.enabled = false}), PrecisionError);
  EXPECT_EQ(training.scaler.scaling().growth_factor, 4.0);
  EXPECT_EQ(training.scaler.state(), saved(4096.0));
}

TEST(LossScaler, RefusesSettingsThatCannotWorkAndNamesThem) {
  FlatModel<Half> model;
  model.add<float16>("w", {1.0});
  const auto message = [&](const auto& scaling) {
    return message_of([&] { LossScaler scaler(model.parameters(), scaling); });
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
  EXPECT_PRED2(names, message(Dynamic{.hysteresis = 0}), "hysteresis = 0");
  EXPECT_PRED2(names, message(Dynamic{.growth_interval = 0, .enabled = true}),
               "growth_interval = 0");
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
  scale::State tolerated = saved(2.0);
  tolerated.losses[0].trackers.overflows_tolerated = 1;
  scale::State newer = saved(2.0);
  newer.version = 2;
  scale::State disabled = saved(2.0);
  disabled.enabled = false;
  scale::State of_two = saved(2.0);
  of_two.losses.push_back({4.0, {}});
  scale::State of_none = saved(2.0);
  of_none.losses.clear();
  const std::pair<scale::State, std::string> table[] = {
      {saved(nan), "scale = nan"},
      {saved(-1.0), "scale = -1"},
      {saved(infinity), "scale = inf"},
      {saved(0x1p30), "scale = 1.07374e+09"},
      {saved(0.5), "scale = 0.5"},
      {saved(1.0 + 0x1p-40), "a float"},
      {saved(2.0, 3), "growth_tracker = 3"},
      {saved(2.0, -1), "growth_tracker = -1"},
      {saved(2.0, 0, -1), "skips_in_row = -1"},
      {saved(2.0, 0, 0, -1), "unmendable_skips_in_row = -1"},
      {tolerated, "overflows_tolerated = 1"},
      {newer, "version = 2"},
      {disabled, "enabled = 0"},
      {of_two, "2 losses"},
      {of_none, "0 losses"}};
  for (const auto& one : table) {
    EXPECT_PRED2(names, message_of([&] { training.scaler.load_state(one.first); }), one.second);
    EXPECT_EQ(training.scaler.state(), before);
  }
  Training fixed(StaticLossScaling{.scale = 8.0});
  EXPECT_THROW(fixed.scaler.load_state(saved(4.0)), UsageError);
}

TEST(LossScaler, VisitsItsStateInPlainNumbersAndTakesWhatIsSound) {
  const DynamicLossScaling settings{.initial_scale = 1024.0, .growth_interval = 3, .hysteresis = 2};
  Training first(settings);
  for (const double gradient : {0.5, infinity, 0.5}) first.round(gradient);
  std::map<std::string, std::vector<double>> file;
  first.scaler.visit_state([&](const std::string& name, auto& tensor) {
    for (const auto number : tensor.span()) file[name].push_back(static_cast<double>(number));
  });
  const std::map<std::string, std::vector<double>> expected{{"version", {1}},
                                                            {"enabled", {1}},
                                                            {"scale", {1024}},
                                                            {"growth_tracker", {1}},
                                                            {"skips_in_row", {0}},
                                                            {"overflows_tolerated", {1}},
                                                            {"unmendable_skips_in_row", {0}}};
  EXPECT_EQ(file, expected);

  Training second(settings);
  const auto load = [&] {
    second.scaler.visit_state([&](const std::string& name, auto& tensor) {
      for (auto& number : tensor.span())
        number = static_cast<std::remove_reference_t<decltype(number)>>(file.at(name)[0]);
    });
  };
  load();
  EXPECT_EQ(second.scaler.state(), first.scaler.state());
  file["version"] = {7};
  EXPECT_PRED2(names, message_of(load), "version = 7");
  EXPECT_EQ(second.scaler.state(), first.scaler.state());
}

TEST(LossScaler, DisabledKeepsItsScaleWhateverWasSaved) {
  Training<DynamicLossScaling, Bf16> off({.enabled = false});
  off.scaler.load_state(saved(1024.0, 5, 3, 2));
  EXPECT_EQ(off.scaler.current_scale(), 1.0);
  EXPECT_EQ(off.scaler.skips(), (scale::Skips{3, 2}));
  Training<DynamicLossScaling, Bf16> on;
  EXPECT_PRED2(names, message_of([&] { on.scaler.load_state(off.scaler.state()); }), "enabled = 0");
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
