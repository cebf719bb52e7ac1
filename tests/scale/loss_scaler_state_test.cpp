// The loss scaler's settings and its saved state.
#include "scale/one_weight.hpp"

#include <map>

namespace halfstep::test {
namespace {

TEST(LossScalerState, DisabledKeepsAScaleOfOneAndTheFiniteCheck) {
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

TEST(LossScalerState, WillNotBeDisabledWhereGradientsAreFloat16) {
  const auto built = [](const auto& scaling) {
    return message_of([&] { Training training(scaling); });
  };
  EXPECT_PRED2(names, built(DynamicLossScaling{.enabled = false}), "MixedBf16");
  EXPECT_THROW(Training(StaticLossScaling{.enabled = false}), PrecisionError);
  // Who says by name that they may go unscaled, may.
  using Pure = halfstep::Setup<PureFp16, backend::Reference>;
  EXPECT_NO_THROW((Training<DynamicLossScaling, Pure>({.enabled = false})));
}

TEST(LossScalerState, TakesTheScaleThatItsCallerChooses) {
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

TEST(LossScalerState, GoesOnUnderOtherSettings) {
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

TEST(LossScalerState, RefusesSettingsThatCannotWorkAndNamesThem) {
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

TEST(LossScalerState, GoesOnFromASavedStateStepForStep) {
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

TEST(LossScalerState, RefusesAStateThatItsSettingsCannotHaveAndKeepsItsOwn) {
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

TEST(LossScalerState, VisitsItsStateInPlainNumbersAndTakesWhatIsSound) {
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

TEST(LossScalerState, DisabledKeepsItsScaleWhateverWasSaved) {
  Training<DynamicLossScaling, Bf16> off({.enabled = false});
  off.scaler.load_state(saved(1024.0, 5, 3, 2));
  EXPECT_EQ(off.scaler.current_scale(), 1.0);
  EXPECT_EQ(off.scaler.skips(), (scale::Skips{3, 2}));
  Training<DynamicLossScaling, Bf16> on;
  EXPECT_PRED2(names, message_of([&] { on.scaler.load_state(off.scaler.state()); }), "enabled = 0");
}

}  // namespace
}  // namespace halfstep::test
