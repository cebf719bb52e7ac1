#include "support/flat_model.hpp"

#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/clip_value.hpp>
#include <halfstep/optim/default_optimizer.hpp>
#include <halfstep/optim/schedules/warm_up.hpp>
#include <halfstep/optim/sgd.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Policy>
using On = Setup<Policy, backend::Reference>;

/// Weights, masters, moments and the applied counter, as bits.
template <class Model, class Optimizer>
std::vector<double> everything(Model& model, Optimizer& optimizer) {
  std::vector<double> all = model.weights("w");
  model.store().for_each_segment([&](auto& segment) {
    for (const float master : segment.masters().span()) all.push_back(master);
  });
  optimizer.visit_state([&](const std::string& name, auto& tensor) {
    if (name == "attempted_steps") return;
    for (const auto value : tensor.span()) all.push_back(static_cast<double>(value));
  });
  return all;
}

template <class Policy>
class EveryPolicy : public testing::Test {};
using Policies = testing::Types<Fp32, MixedFp16, MixedBf16, PureFp16, PureBf16>;
TYPED_TEST_SUITE(EveryPolicy, Policies);

TYPED_TEST(EveryPolicy, ASkippedStepKeepsEveryBit) {
  using Setup = On<TypeParam>;
  FlatModel<Setup> model;
  model.template add<typename Setup::Parameter>("w", {1.0, -2.0, 0.5, 3.0});
  auto optimizer = default_optimizer<Setup>(model.parameters(), optim::AdamW{});
  for (int i = 0; i < 3; ++i) optimizer.step(model.gradients({0.25, -1.0, 2.0, 0.0}));
  const auto before = everything(model, optimizer);

  auto report = optimizer.step(model.gradients({0.25, nan, 2.0, 0.0}));
  EXPECT_FALSE(report.applied());
  EXPECT_EQ(report.skip_reason(), SkipReason::gradients_not_finite);
  EXPECT_EQ(everything(model, optimizer), before);
  report = optimizer.step(model.gradients({0.25, infinity, 2.0, 0.0}));
  EXPECT_EQ(report.skip_reason(), SkipReason::gradients_not_finite);
  EXPECT_EQ(everything(model, optimizer), before);
  report = optimizer.step(model.gradients({0.25, -1.0, 2.0, 0.0}, 1.0, nan));
  EXPECT_EQ(report.skip_reason(), SkipReason::loss_not_finite);
  EXPECT_EQ(everything(model, optimizer), before);
  EXPECT_EQ(optimizer.applied_steps(), 3);
  EXPECT_EQ(optimizer.attempted_steps(), 6);

  report = optimizer.step(model.gradients({0.25, -1.0, 2.0, 0.0}));
  EXPECT_TRUE(report.applied());
  EXPECT_EQ(report.applied_steps(), 4);
  EXPECT_NE(everything(model, optimizer), before);
}

TYPED_TEST(EveryPolicy, ALossScaleThatIsAPowerOfTwoChangesNoBit) {
  using Setup = On<TypeParam>;
  const std::vector<double> gradient = {0.25, -1.0, 2.0, 0x1p-10};
  const auto run = [&](double scale) {
    FlatModel<Setup> model;
    model.template add<typename Setup::Parameter>("w", {1.0, -2.0, 0.5, 3.0});
    auto optimizer = default_optimizer<Setup>(model.parameters(), optim::AdamW{});
    for (int i = 0; i < 3; ++i) {
      const auto report = optimizer.step(model.gradients(gradient, scale));
      EXPECT_EQ(report.loss_scale(), scale);
      EXPECT_EQ(report.gradient_norm(), std::sqrt(0.0625 + 1.0 + 4.0 + 0x1p-20));
    }
    return everything(model, optimizer);
  };
  EXPECT_EQ(run(1.0), run(4096.0));
}

TYPED_TEST(EveryPolicy, KeepsInMemoryWhatItsUpdateNeedsAndNothingElse) {
  using Setup = On<TypeParam>;
  FlatModel<Setup> model;
  model.template add<typename Setup::Parameter>("w", std::vector<double>(64, 1.0));
  const auto adamw = default_optimizer<Setup>(model.parameters(), optim::AdamW{});
  const Index masters =
      std::is_same_v<typename TypeParam::Update, update::MasterWeights> ? 64 * 4 : 0;
  EXPECT_EQ(adamw.optimizer_bytes(), masters + 2 * 64 * 4);
  const auto sgd = default_optimizer<Setup>(model.parameters(), optim::SGD{});
  EXPECT_EQ(sgd.optimizer_bytes(), masters);
  const auto momentum = default_optimizer<Setup>(model.parameters(), optim::SGD{.momentum = 0.9});
  EXPECT_EQ(momentum.optimizer_bytes(), masters + 64 * 4);
}

using Mixed = On<MixedBf16>;

struct OneWeight {
  FlatModel<Mixed> model;
  Optimizer<optim::MasterWeights<optim::SGD>, Mixed> optimizer;
  explicit OneWeight(optim::SGD rule = {.learning_rate = 1.0})
      : optimizer(model.add<bfloat16>("w", {1.0}).parameters(), optim::MasterWeights{rule}) {}
};

TEST(Optimizer, MastersStartFromTheInitialiserNotFromRoundedWeights) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {1.0 + 0x1p-12});
  Optimizer optimizer(model.parameters(), optim::MasterWeights{optim::SGD{.learning_rate = 0.0}});
  optimizer.step(model.gradients({1.0}));
  EXPECT_EQ(model.masters("w")[0], 1.0 + 0x1p-12);
  EXPECT_EQ(model.weights("w")[0], 1.0);
}

TEST(Optimizer, WritingAParameterMovesItsMaster) {
  OneWeight one;
  one.optimizer.step(one.model.gradients({-1.0}));
  const float three = 3.0f;
  one.model.store().write(0, std::span<const float>(&three, 1));
  one.optimizer.step(one.model.gradients({-1.0}));
  EXPECT_EQ(one.model.masters("w")[0], 4.0);
}

TEST(Optimizer, MastersAreMadeFromTheWeightsWhereAnotherOptimizerHadDroppedThem) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {1.0 + 0x1p-12});
  { Optimizer dropped(model.parameters(), optim::UnsafeNearest{optim::SGD{}}); }
  Optimizer optimizer(model.parameters(), optim::MasterWeights{optim::SGD{}});
  EXPECT_EQ(model.masters("w")[0], 1.0);
}

TEST(Optimizer, ScheduleAndWarmUpFollowTheAppliedSteps) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {0.0});
  Optimizer optimizer(model.parameters(), optim::MasterWeights{optim::SGD{.learning_rate = 8.0}},
                      optim::WarmUp{4});
  double expected = 0.0;
  const std::vector<double> rates = {2.0, 4.0, 6.0, 8.0, 8.0};
  for (const double rate : rates) {
    EXPECT_EQ(optimizer.learning_rate(), rate);
    // A skipped step does not move the schedule.
    optimizer.step(model.gradients({nan}));
    EXPECT_EQ(optimizer.learning_rate(), rate);
    optimizer.step(model.gradients({-1.0}));
    expected += rate;
    EXPECT_EQ(model.masters("w")[0], expected);
  }
}

TEST(Optimizer, GroupsHaveTheirOwnSettings) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("weight", {1.0}).add<bfloat16>("bias", {1.0}, 1).add<float>("norm", {1.0}, 2);
  const optim::SGD decayed{.learning_rate = 0.5, .weight_decay = 1.0};
  Optimizer optimizer(model.parameters(), optim::MasterWeights{decayed});
  optimizer.set_rule(1, {.learning_rate = 0.5});
  optimizer.step(model.gradients({0.0}));
  EXPECT_EQ(model.weights("weight")[0], 0.5);
  EXPECT_EQ(model.weights("bias")[0], 1.0);
  EXPECT_EQ(model.weights("norm")[0], 0.5);
  EXPECT_THROW(optimizer.set_rule(1, {.momentum = 0.5}), UsageError);
  EXPECT_THROW(optimizer.set_rule(1, {.learning_rate = -1.0}), UsageError);
  EXPECT_EQ(optimizer.rule(1).learning_rate, 0.5);
}

TEST(Optimizer, RefusesSettingsThatCannotWorkAndNamesThem) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {1.0});
  const auto message = [&](auto rule) -> std::string {
    try {
      Optimizer optimizer(model.parameters(), optim::MasterWeights{rule});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  const auto names = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_PRED2(names, message(optim::SGD{.learning_rate = -0.5}), "learning_rate = -0.5");
  EXPECT_PRED2(names, message(optim::SGD{.learning_rate = nan}), "learning_rate = nan");
  EXPECT_PRED2(names, message(optim::SGD{.learning_rate = infinity}), "learning_rate = inf");
  EXPECT_PRED2(names, message(optim::SGD{.nesterov = true}), "SGD: momentum = 0");
  EXPECT_PRED2(names, message(optim::AdamW{.beta1 = 1.0}), "AdamW: beta1 = 1");
  EXPECT_PRED2(names, message(optim::AdamW{.beta2 = -0.1}), "AdamW: beta2 = -0.1");
  EXPECT_PRED2(names, message(optim::AdamW{.epsilon = -1.0}), "epsilon = -1");
  EXPECT_PRED2(names, message(optim::AdamW{.weight_decay = infinity}), "weight_decay = inf");
  EXPECT_THROW(Optimizer(model.parameters(), optim::MasterWeights{optim::SGD{}}, optim::WarmUp{0}),
               UsageError);
}

TEST(Optimizer, RefusesGradientsOfAnotherModelAndTokensThatWereMovedFrom) {
  OneWeight one, other;
  EXPECT_THROW(one.optimizer.step(other.model.gradients({1.0})), UsageError);
  auto gradients = one.model.gradients({1.0});
  auto moved = std::move(gradients);
  EXPECT_THROW(one.optimizer.step(std::move(gradients)), UsageError);
  EXPECT_TRUE(one.optimizer.step(std::move(moved)).applied());
  EXPECT_THROW(one.optimizer.step(std::move(moved)), UsageError);
}

TEST(Optimizer, ABareRuleServesFp32ParametersAndNoOthers) {
  using Full = On<Fp32>;
  FlatModel<Full> model;
  model.add<float>("w", {1.0});
  Optimizer optimizer(model.parameters(), optim::SGD{.learning_rate = 1.0});
  optimizer.step(model.gradients({0.25}));
  EXPECT_EQ(model.weights("w")[0], 0.75);

  FlatModel<halfstep::Setup<Fp32, backend::Reference, also_stores<bfloat16>>> half;
  half.add<float>("w", {1.0}).add<bfloat16>("layer", {1.0});
  EXPECT_THROW(Optimizer(half.parameters(), optim::SGD{}), PrecisionError);
}

TEST(ClipNorm, MultipliesByPyTorchsFactorAndTheReportSaysSo) {
  OneWeight one;
  auto gradients = one.model.gradients({4.0 * 1024}, 1024.0 * 1024);
  ASSERT_EQ(gradients.norm(), 4096.0);
  optim::clip_norm(gradients, 2.0);
  const double factor = 2.0 / (4096.0 + 1e-6);
  EXPECT_EQ(gradients.read("w")[0], static_cast<float>(4096.0 * factor));
  const auto report = one.optimizer.step(std::move(gradients));
  EXPECT_EQ(report.clip_factor(), factor);
  EXPECT_EQ(report.gradient_norm(), 4096.0);
  // Two roundings, of the factor and of the product, and one of the difference.
  EXPECT_NEAR(one.model.masters("w")[0], 1.0 - 4096.0 * factor, 3 * 0x1p-24 * 2.0);
}
TEST(ClipNorm, LeavesGradientsThatAreSmallEnough) {
  OneWeight one;
  auto gradients = one.model.gradients({0.5});
  optim::clip_norm(gradients, 1.0);
  EXPECT_EQ(one.optimizer.step(std::move(gradients)).clip_factor(), 1.0);
  EXPECT_EQ(one.model.masters("w")[0], 0.5);
}
TEST(ClipNorm, LeavesAStepThatIsSkippedToBeSkipped) {
  OneWeight one;
  auto gradients = one.model.gradients({nan});
  optim::clip_norm(gradients, 1.0);
  const auto report = one.optimizer.step(std::move(gradients));
  EXPECT_FALSE(report.applied());
  EXPECT_EQ(report.clip_factor(), 1.0);
  auto refused = one.model.gradients({1.0});
  EXPECT_THROW(optim::clip_norm(refused, 0.0), UsageError);
  EXPECT_THROW(optim::clip_norm(refused, nan), UsageError);
}

TEST(ClipValue, ClampsAndKeepsTheBitsOfWhatIsWithin) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {0.0, 0.0, 0.0});
  // A scale that is no power of two, as growth by 1.5 gives.
  const double scale = 1.5;
  const double within = 0.28125;
  auto gradients = model.gradients({within, 3.0, -7.0}, scale);
  optim::clip_value(gradients, 2.0);
  const std::vector<float> values = gradients.read("w");
  EXPECT_EQ(values[0], static_cast<float>(storage_cast<double>(bfloat16(0.421875f)) * (1 / 1.5)));
  EXPECT_FLOAT_EQ(values[1], 2.0f);
  EXPECT_FLOAT_EQ(values[2], -2.0f);
}
TEST(ClipValue, DoesNotHideWhatIsNotFinite) {
  OneWeight one;
  for (const double bad : {nan, infinity, -infinity}) {
    auto gradients = one.model.gradients({bad});
    optim::clip_value(gradients, 1.0);
    EXPECT_FALSE(one.optimizer.step(std::move(gradients)).applied());
  }
  EXPECT_EQ(one.model.masters("w")[0], 1.0);
}

/// g -> g * factor, in a transform.
struct Times {
  float factor;
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return x * N(factor);
  }
};
TEST(Transform, SeesUnscaledClippedGradientsAndIsCheckedAgain) {
  OneWeight one;
  auto gradients = one.model.gradients({4.0}, 16.0);
  optim::clip_norm(gradients, 2.0);
  gradients.transform(Times{2.0f});
  EXPECT_NEAR(gradients.read("w")[0], 4.0, 1e-5);
  gradients.transform(Times{std::numeric_limits<float>::infinity()});
  EXPECT_FALSE(one.optimizer.step(std::move(gradients)).applied());
}

/// A user's own rule.
struct SignDescent {
  double learning_rate = 1e-3;
  static constexpr int moments = 0;
  struct Coefficients {
    double rate;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t, double rate) const { return {rate}; }
  template <class N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w) {
    const N rate = optim::constant<N>(c.rate);
    w = w - select(g > 0.0f, rate, select(g < 0.0f, N(0.0f) - rate, 0.0f));
  }
};
TEST(Optimizer, TakesAUsersOwnRule) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {1.0, 1.0, 1.0});
  Optimizer optimizer(model.parameters(), optim::MasterWeights{SignDescent{.learning_rate = 0.5}});
  optimizer.step(model.gradients({3.0, -0.125, 0.0}));
  EXPECT_EQ(model.weights("w"), (std::vector<double>{0.5, 1.5, 1.0}));
}

}  // namespace
}  // namespace halfstep::test
