// Several optimizers on parts of one model, under one scale.
#include "support/flat_model.hpp"

#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

using Half = Setup<MixedFp16, backend::Reference>;
using Rule = optim::MasterWeights<optim::SGD>;
constexpr double infinity = std::numeric_limits<double>::infinity();

struct TwoParts {
  FlatModel<Half> model;
  Parameters<Half> first, second;
  Optimizer<Rule, Half> of_first, of_second;
  LossScaler<DynamicLossScaling, Half> scaler;

  TwoParts()
      : first(divided().only({0})),
        second(divided().only({1})),
        of_first(first, Rule{optim::SGD{.learning_rate = 1.0}}),
        of_second(second, Rule{optim::SGD{.learning_rate = 1.0}}),
        scaler(model.parameters(), DynamicLossScaling{.initial_scale = 1024.0}) {}

  Parameters<Half> divided() {
    if (model.store().count() == 0) model.add<float16>("a", {1.0}, 0).add<float16>("b", {1.0}, 1);
    return model.parameters();
  }
  Gradients<Scaled, Half> gradients(double of_b = 0.25) {
    auto token = model.gradients<Scaled>({0.5}, scaler.current_scale());
    model.store().visit_parameter(AllStorages{}, 1, [&](auto& segment, Index offset) {
      using T = typename std::remove_reference_t<decltype(segment)>::Storage;
      segment.gradients().data()[offset] = storage_cast<T>(of_b * scaler.current_scale());
    });
    return token;
  }
};

TEST(PartsOfAModel, AreSteppedUnderOneScaleAndSkipAlone) {
  TwoParts t;
  {
    auto [a, b] = t.gradients(infinity).split(t.first, t.second);
    EXPECT_TRUE(t.scaler.step(t.of_first, std::move(a)).applied());
    EXPECT_FALSE(t.scaler.step(t.of_second, std::move(b)).applied());
  }
  t.scaler.update();
  EXPECT_EQ(t.model.masters("a")[0], 0.5);
  EXPECT_EQ(t.model.masters("b")[0], 1.0);
  EXPECT_EQ(t.scaler.current_scale(), 512.0);
}

TEST(PartsOfAModel, AreUnscaledAndClippedTogetherAndThenSplit) {
  TwoParts t;
  auto gradients = t.scaler.unscale(t.gradients(0.5));
  optim::clip_norm(gradients, 0.5);
  auto [a, b] = std::move(gradients).split(t.first, t.second);
  const double factor = t.scaler.step(t.of_first, std::move(a)).clip_factor();
  EXPECT_EQ(factor, 0.5 / (std::sqrt(0.5) + 1e-6));
  EXPECT_EQ(t.scaler.step(t.of_second, std::move(b)).clip_factor(), factor);
  t.scaler.update();
  EXPECT_EQ(t.model.masters("a")[0], static_cast<float>(1.0 - 0.5 * factor));
}

TEST(PartsOfAModel, HaveAStageEach) {
  TwoParts t;
  {
    auto [a, b] = t.gradients().split(t.first, t.second);
    auto unscaled = t.scaler.unscale(std::move(a));
    EXPECT_TRUE(t.scaler.step(t.of_first, std::move(unscaled)).applied());
    EXPECT_TRUE(t.scaler.step(t.of_second, t.scaler.unscale(std::move(b))).applied());
  }
  {
    auto [a, b] = t.gradients().split(t.first, t.second);
    EXPECT_THROW(t.scaler.step(t.of_first, std::move(a)), UsageError) << "was stepped already";
  }
  EXPECT_THROW(static_cast<void>(t.scaler.unscale(t.gradients())), UsageError)
      << "the whole holds parts that were stepped";
  t.scaler.update();
  auto [a, b] = t.gradients().split(t.first, t.second);
  EXPECT_TRUE(t.scaler.step(t.of_first, std::move(a)).applied());
}

}  // namespace
}  // namespace halfstep::test
