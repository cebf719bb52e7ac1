// Updates smaller than half an ulp of their weight, 10,000 of them (arXiv 1710.03740, section 3.1).
#include "support/flat_model.hpp"

#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/kahan_sum.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/split_master.hpp>
#include <halfstep/optim/stochastic_rounding.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

constexpr int steps = 10000;
constexpr std::size_t count = 256;

struct LeanFp16 : PureFp16 {};
struct LeanBf16 : PureBf16 {};

/// The weights after the steps, each of which asks for `update` more; they start at 1.
template <template <class> class Wrapper, class Policy>
std::vector<double> after_small_updates(double update, std::vector<double>* masters = nullptr) {
  using Setup = halfstep::Setup<Policy, backend::Default>;
  FlatModel<Setup> model;
  model.template add<typename Setup::Parameter>("w", std::vector<double>(count, 1.0));
  Optimizer optimizer(model.parameters(), Wrapper<optim::SGD>{optim::SGD{.learning_rate = 1.0}});
  for (int i = 0; i < steps; ++i) optimizer.step(model.gradients({-update}));
  if (masters != nullptr) *masters = model.masters("w");
  return model.weights("w");
}

template <class Policy>
void expect_survival(double update) {
  using T = typename Policy::Parameter;
  const double half_ulp_of_one = numeric_traits<T>::unit_roundoff;
  ASSERT_LT(update, half_ulp_of_one);
  const double moved = 1.0 + steps * update;

  // Multiples of the update below 4 are floats: the masters' sums are exact.
  std::vector<double> masters;
  for (const double w : after_small_updates<optim::MasterWeights, Policy>(update, &masters))
    EXPECT_EQ(w, storage_cast<double>(storage_cast<T>(moved)));
  for (const double master : masters) EXPECT_EQ(master, moved);

  for (const double w : after_small_updates<optim::SplitMaster, Policy>(update))
    EXPECT_EQ(w, storage_cast<double>(storage_cast<T>(moved)));

  // Kahan: what is left of a sum is kept to half an ulp of itself, and an ulp of the weight is the
  // largest that it gets: each step may lose u ulp(4).
  const double ulp = 4.0 * 2.0 * half_ulp_of_one;
  for (const double w : after_small_updates<optim::KahanSum, Policy>(update))
    EXPECT_NEAR(w, moved, ulp / 2 + steps * half_ulp_of_one * ulp / 2);

  for (const double w : after_small_updates<optim::UnsafeNearest, Policy>(update))
    EXPECT_EQ(w, 1.0);

  // Stochastic rounding: each step adds the update on average, and p (1 - p) ulp^2 to the variance,
  // with p = update / ulp: at most update * ulp. The mean over all weights then has the standard
  // deviation sqrt(steps * update * ulp / count); five of them fail once in 1.7 million.
  const double largest_ulp = 2.0 * half_ulp_of_one * 2.0;  // of weights below 4
  double mean = 0.0;
  for (const double w : after_small_updates<optim::StochasticRounding, Policy>(update))
    mean += w / static_cast<double>(count);
  EXPECT_NEAR(mean, moved, 5.0 * std::sqrt(steps * update * largest_ulp / count));
}

TEST(Survival, UpdatesBelowHalfAnUlpMoveFloat16WeightsUnlessRoundedToNearest) {
  expect_survival<LeanFp16>(0x1p-14);
}
TEST(Survival, UpdatesBelowHalfAnUlpMoveBfloat16WeightsUnlessRoundedToNearest) {
  expect_survival<LeanBf16>(0x1p-12);
}

/// SplitMaster's weight and remainder are MasterWeights' master, step for step, to the bit; in FP16
/// as long as no weight comes near 0.
template <class Policy>
void expect_equal_masters() {
  using Setup = halfstep::Setup<Policy, backend::Default>;
  using T = typename Policy::Parameter;
  std::vector<double> start, gradient;
  for (int i = 0; i < 1000; ++i) {
    const double near_zero = std::is_same_v<T, bfloat16> ? 0.0 : 1.5;
    start.push_back((near_zero + std::sin(0.7 * i)) * std::exp2(i % 14 - (near_zero > 0 ? 0 : 8)));
    gradient.push_back(std::cos(1.3 * i) * std::exp2(i % 9 - 6));
  }
  FlatModel<Setup> master, split;
  master.template add<T>("w", start);
  split.template add<T>("w", start);
  const optim::AdamW rule{.learning_rate = 1e-3};
  Optimizer of_master(master.parameters(), optim::MasterWeights{rule});
  Optimizer of_split(split.parameters(), optim::SplitMaster{rule});
  for (int i = 0; i < 200; ++i) {
    of_master.step(master.gradients(gradient));
    of_split.step(split.gradients(gradient));
    ASSERT_EQ(split.store().read(0), master.store().read(0)) << "after step " << i + 1;
  }
}
TEST(Survival, SplitMasterHoldsMasterWeightsToTheBit) {
  expect_equal_masters<LeanFp16>();
  expect_equal_masters<LeanBf16>();
}

TEST(Survival, EachWrapperTakesAsManyBytesAsItSays) {
  const auto bytes = []<template <class> class Wrapper>(std::type_identity<Wrapper<optim::AdamW>>) {
    using Setup = halfstep::Setup<LeanBf16, backend::Default>;
    FlatModel<Setup> model;
    model.template add<bfloat16>("w", std::vector<double>(96, 1.0));
    Optimizer optimizer(model.parameters(), Wrapper<optim::AdamW>{optim::AdamW{}});
    optimizer.step(model.gradients({1.0}));
    return optimizer.memory().per_parameter();
  };
  EXPECT_EQ(bytes(std::type_identity<optim::MasterWeights<optim::AdamW>>()), 16.0);
  EXPECT_EQ(bytes(std::type_identity<optim::SplitMaster<optim::AdamW>>()), 14.0);
  EXPECT_EQ(bytes(std::type_identity<optim::StochasticRounding<optim::AdamW>>()), 12.0);
  EXPECT_EQ(bytes(std::type_identity<optim::KahanSum<optim::AdamW>>()), 14.0);
  EXPECT_EQ(bytes(std::type_identity<optim::UnsafeNearest<optim::AdamW>>()), 12.0);
}

/// What a parameter holds after it was written between two steps, and after the second.
template <template <class> class Wrapper>
std::pair<float, float> written_and_moved() {
  using Setup = halfstep::Setup<LeanBf16, backend::Default>;
  FlatModel<Setup> model;
  model.template add<bfloat16>("w", {1.0});
  Optimizer optimizer(model.parameters(), Wrapper<optim::SGD>{optim::SGD{.learning_rate = 1.0}});
  optimizer.step(model.gradients({0x1p-10}));
  const float value = 3.0f + 0x1p-9f;
  model.store().write(0, std::span<const float>(&value, 1));
  const float written = model.store().read(0)[0];
  optimizer.step(model.gradients({-0x1p-9}));
  return {written, model.store().read(0)[0]};
}
TEST(Survival, WritingAParameterWritesWhatLiesBesideIt) {
  constexpr float value = 3.0f + 0x1p-9f;
  const std::pair expected(value, value + 0x1p-9f);
  EXPECT_EQ(written_and_moved<optim::MasterWeights>(), expected);
  EXPECT_EQ(written_and_moved<optim::SplitMaster>(), expected);
  EXPECT_EQ(written_and_moved<optim::KahanSum>(), expected);
  EXPECT_EQ(written_and_moved<optim::UnsafeNearest>(), std::pair(3.0f, 3.0f));
}

TEST(Survival, AMasterBeyondFloat16IsReportedByNameWithSplitMaster) {
  using Setup = halfstep::Setup<LeanFp16, backend::Default>;
  const auto message = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const PrecisionError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  FlatModel<Setup> model;
  model.add<float16>("small", {1.0}).add<float16>("large", {65000.0});
  const optim::SplitMaster rule{optim::SGD{.learning_rate = 1.0}};
  Optimizer optimizer(model.parameters(), rule);
  optimizer.step(model.gradients({-512.0}));
  EXPECT_EQ(model.store().read(1)[0], 65512.0f);
  const std::string left = message([&] { optimizer.step(model.gradients({-512.0})); });
  EXPECT_NE(left.find("'large' left float16's range"), std::string::npos) << left;
  EXPECT_EQ(model.store().read(1)[0], RemainderParts<float16>::limit);

  FlatModel<Setup> beyond;
  beyond.add<float16>("huge", {65520.0});
  const std::string refused = message([&] { Optimizer(beyond.parameters(), rule); });
  EXPECT_NE(refused.find("'huge' has a value beyond"), std::string::npos) << refused;
}

TEST(Survival, StochasticRoundingHasTheSameBitsForEveryNumberOfThreads) {
  using Setup = halfstep::Setup<LeanBf16, backend::Default>;
  const std::vector<double> start(100000, 1.0);
  const auto run = [&](int count_of_threads, std::uint64_t seed) {
    const int before = threads();
    set_threads(count_of_threads);
    FlatModel<Setup> model;
    model.add<bfloat16>("w", start);
    model.store().initialise(seed);
    Optimizer optimizer(model.parameters(),
                        optim::StochasticRounding{optim::SGD{.learning_rate = 1.0}});
    for (int i = 0; i < 5; ++i) optimizer.step(model.gradients({-0x1p-10}));
    set_threads(before);
    return model.weights("w");
  };
  const auto alone = run(1, 1);
  EXPECT_EQ(alone, run(2, 1));
  EXPECT_EQ(alone, run(3, 1));
  EXPECT_NE(alone, run(1, 2));
}

}  // namespace
}  // namespace halfstep::test
