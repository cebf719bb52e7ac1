// Every way to update on the test device: a step that looked at the device's memory from the host,
// or waited for it, fails here.
#include "support/small_training.hpp"

#include <halfstep/backend/test_device.hpp>
#include <halfstep/optim/adafactor.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/average.hpp>
#include <halfstep/optim/lamb.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

template <class Kind>
struct Half : MixedFp16 {
  using Update = Kind;
};

struct Outcome {
  std::vector<std::vector<float>> weights, averages;
  std::vector<float> mean;
  bool operator==(const Outcome&) const = default;
};

/// Six steps, the fourth of which is skipped, and what they leave.
template <class Policy, class Backend, class Rule>
Outcome after_six_steps(const Rule& rule) {
  using S = Setup<Policy, Backend>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, rule, {.clip_norm = 0.5, .decay_vectors = false});
  optim::Average average(net.parameters(), {.decay = 0.5});
  std::vector<SmallBatch<S>> batches;
  for (int i = 0; i < 6; ++i) batches.push_back(small_batch<S>(i, i == 3 ? INFINITY : 0.0f));
  const auto waits = [] {
    if constexpr (std::same_as<Backend, backend::Delayed>)
      return Backend::synchronizations();
    else
      return std::size_t{0};
  };
  const std::size_t before = waits();
  for (const auto& batch : batches) average.update(trainer.step(batch, small_loss));
  EXPECT_EQ(waits(), before) << "a step waits";
  const auto weights = [&] {
    std::vector<std::vector<float>> all;
    for (std::size_t i = 0; i < net.store()->count(); ++i) all.push_back(net.store()->read(i));
    return all;
  };
  Outcome outcome{weights(), {}, net.store()->statistics().read(0)};
  const auto averaged = average.use();
  outcome.averages = weights();
  EXPECT_EQ(trainer.applied_steps(), 5);
  return outcome;
}
template <class Kind, class Rule>
void expect_equal_on_both(const Rule& rule) {
  const Outcome expected = after_six_steps<Half<Kind>, backend::Reference>(rule);
  EXPECT_EQ((after_six_steps<Half<Kind>, backend::Delayed>(rule)), expected);
  EXPECT_NE(expected.weights, expected.averages);
}

TEST(DelayedSteps, EveryWrapperWaitsForNothing) {
  const optim::AdamW rule{.learning_rate = 0.02};
  expect_equal_on_both<update::MasterWeights>(rule);
  expect_equal_on_both<update::SplitMaster>(rule);
  expect_equal_on_both<update::KahanSum>(rule);
  expect_equal_on_both<update::StochasticRounding>(rule);
  expect_equal_on_both<update::UnsafeNearest>(rule);
}
TEST(DelayedSteps, RulesThatSeeWholeTensorsWaitForNothing) {
  expect_equal_on_both<update::MasterWeights>(optim::LAMB{.learning_rate = 0.02});
  expect_equal_on_both<update::SplitMaster>(optim::Adafactor{.learning_rate = 0.02});
}

}  // namespace
}  // namespace halfstep::test
