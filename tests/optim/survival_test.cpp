// Updates smaller than half an ulp of their weight, 10,000 of them (arXiv 1710.03740, section 3.1).
#include "support/flat_model.hpp"

#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
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
