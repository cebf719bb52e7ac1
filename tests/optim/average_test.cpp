#include "support/flat_model.hpp"

#include <halfstep/optim/average.hpp>
#include <halfstep/optim/kahan_sum.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/split_master.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

using Mixed = Setup<MixedBf16, backend::Reference>;
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Model, class Wrapper>
struct Training {
  Model model;
  Optimizer<Wrapper, Mixed> optimizer;
  optim::Average<Mixed> average;
  explicit Training(const Wrapper& wrapper)
      : optimizer(model.template add<bfloat16>("w", {1.0, -2.0}).parameters(), wrapper),
        average(model.parameters(), {.decay = 0.75}) {}
  std::vector<float> averaged() {
    const auto scope = average.use();
    return model.store().read(0);
  }
};
auto training(const auto& wrapper) {
  return Training<FlatModel<Mixed>, std::remove_cvref_t<decltype(wrapper)>>(wrapper);
}

TEST(Average, FollowsTheMastersInFp32) {
  auto t = training(optim::MasterWeights{optim::SGD{.learning_rate = 1.0}});
  double expected = 1.0;
  for (int step = 1; step <= 8; ++step) {
    t.average.update(t.optimizer.step(t.model.gradients({-0x1p-12})));
    // Sums of a few quarters of 2^-12: exact in FP32, and far below half an ulp in bfloat16.
    expected += 0.25 * (1.0 + step * 0x1p-12 - expected);
    EXPECT_EQ(t.averaged()[0], static_cast<float>(expected));
  }
}

TEST(Average, ASkippedStepLeavesItBitIdentical) {
  auto t = training(optim::MasterWeights{optim::SGD{.learning_rate = 1.0}});
  t.average.update(t.optimizer.step(t.model.gradients({0.5})));
  const auto before = t.averaged();
  // Weights that were written meanwhile would move it, were the step applied.
  const std::vector<float> far = {100.0f, 100.0f};
  t.model.store().write(0, far);
  t.average.update(t.optimizer.step(t.model.gradients({infinity})));
  EXPECT_EQ(t.averaged(), before);
  t.average.update(t.optimizer.step(t.model.gradients({0.5})));
  EXPECT_NE(t.averaged(), before);
}

TEST(Average, IsUsedInAScopeAndTheWeightsComeBackWithWhatIsBesideThem) {
  const auto check = [](const auto& wrapper) {
    auto t = training(wrapper);
    for (int step = 0; step < 5; ++step)
      t.average.update(t.optimizer.step(t.model.gradients({-0x1p-11, 0.25})));
    const auto weights = t.model.store().read(0);
    EXPECT_NE(t.averaged(), weights);
    EXPECT_EQ(t.model.store().read(0), weights);
    EXPECT_TRUE(t.optimizer.step(t.model.gradients({-0x1p-11})).applied());
    EXPECT_EQ(t.model.store().read(0)[0], weights[0] + 0x1p-11f);
  };
  check(optim::MasterWeights{optim::SGD{.learning_rate = 1.0}});
  check(optim::SplitMaster{optim::SGD{.learning_rate = 1.0}});
  check(optim::KahanSum{optim::SGD{.learning_rate = 1.0}});
}

TEST(Average, RefusesToFollowWhileTheModelHasTheAverages) {
  auto t = training(optim::MasterWeights{optim::SGD{}});
  const auto report = t.optimizer.step(t.model.gradients({0.5}));
  const auto scope = t.average.use();
  EXPECT_THROW(t.average.update(report), UsageError);
}

TEST(Average, RefusesADecayThatCannotWork) {
  FlatModel<Mixed> model;
  model.add<bfloat16>("w", {1.0});
  EXPECT_THROW(optim::Average(model.parameters(), {.decay = 1.0}), UsageError);
  EXPECT_THROW(optim::Average(model.parameters(), {.decay = -0.1}), UsageError);
}

}  // namespace
}  // namespace halfstep::test
