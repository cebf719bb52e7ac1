#pragma once

#include <halfstep/autograd/dropout.hpp>
#include <halfstep/optim/adafactor.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/lamb.hpp>

#include <gtest/gtest.h>

#include "support/backend_test.hpp"
#include "support/on_device.hpp"
#include "support/small_training.hpp"

// Training on backends whose operations are the kernels of a GPU.
namespace halfstep::test {

template <class Kind>
struct Half : MixedFp16 {
  using Update = Kind;
};

struct SixSteps {
  /// The most exact values of all parameters after each step.
  std::vector<std::vector<float>> weights;
  /// All that a run goes on from, after the last.
  std::vector<std::pair<std::string, std::vector<double>>> state;
};

/// Six steps, the fourth of which is skipped.
template <class Policy, class Backend, class Rule>
SixSteps six_steps(const Rule& rule) {
  using S = Setup<Policy, Backend>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, rule, {.clip_norm = 0.5, .decay_vectors = false});
  SixSteps after;
  for (int i = 0; i < 6; ++i) {
    const auto report = trainer.step(small_batch<S>(i, i == 3 ? INFINITY : 0.0f), small_loss);
    EXPECT_EQ(report.applied(), i != 3);
    std::vector<float> all;
    for (std::size_t p = 0; p < net.store()->count(); ++p)
      for (const float value : net.store()->read(p)) all.push_back(value);
    after.weights.push_back(all);
  }
  after.state = all_state(trainer);
  return after;
}

/// Sums are taken in another order than the reference's, so gradients of 16 bits differ by a
/// rounding now and then, each by at most one ulp; a step moves a weight by about the learning rate
/// whatever the gradient's last bit.
template <class B, class Kind, class Rule>
void expect_training_as_on_the_reference(const Rule& rule) {
  const auto expected = six_steps<Half<Kind>, backend::Reference>(rule).weights;
  const auto found = six_steps<Half<Kind>, B>(rule).weights;
  EXPECT_EQ(found[3], found[2]) << "a skipped step changes nothing";
  for (std::size_t step = 0; step < 6; ++step)
    for (std::size_t i = 0; i < expected[step].size(); ++i)
      EXPECT_NEAR(found[step][i], expected[step][i],
                  0.1 * rule.learning_rate * static_cast<double>(step + 1) +
                      0x1p-11 * std::fabs(expected[step][i]))
          << "step " << step << " number " << i;
}

template <class B>
class KernelTraining : public BackendTest<B> {};
TYPED_TEST_SUITE_P(KernelTraining);

TYPED_TEST_P(KernelTraining, UpdatesAsTheReferenceDoesInEveryWay) {
  const optim::AdamW rule{.learning_rate = 0.02};
  expect_training_as_on_the_reference<TypeParam, update::MasterWeights>(rule);
  expect_training_as_on_the_reference<TypeParam, update::SplitMaster>(rule);
  expect_training_as_on_the_reference<TypeParam, update::KahanSum>(rule);
  expect_training_as_on_the_reference<TypeParam, update::StochasticRounding>(rule);
}

TYPED_TEST_P(KernelTraining, FollowsRulesThatSeeWholeTensors) {
  using Kind = update::MasterWeights;
  expect_training_as_on_the_reference<TypeParam, Kind>(optim::LAMB{.learning_rate = 0.02});
  expect_training_as_on_the_reference<TypeParam, Kind>(optim::Adafactor{.learning_rate = 0.02});
}

TYPED_TEST_P(KernelTraining, LeavesTheSameBitsInTwoRuns) {
  using Policy = Half<update::StochasticRounding>;
  const optim::AdamW rule{.learning_rate = 0.02};
  EXPECT_EQ((six_steps<Policy, TypeParam>(rule).state), (six_steps<Policy, TypeParam>(rule).state));
}

TYPED_TEST_P(KernelTraining, DropoutDrawsTheReferencesMaskToTheBit) {
  const auto mask = []<class B>(std::type_identity<B>) {
    Tensor<float> ones(Shape{1003});
    for (float& one : ones.span()) one = 1.0f;
    const auto y = dropout(Variable<float, B>(on_device<B>(ones)), 0.3, {.seed = 7});
    return on_host<B>(y.value());
  };
  const auto expected = mask(std::type_identity<backend::Reference>());
  EXPECT_EQ(mask(std::type_identity<TypeParam>()), expected);
  EXPECT_GT(std::count(expected.begin(), expected.end(), 0.0f), 200);
}

REGISTER_TYPED_TEST_SUITE_P(KernelTraining, UpdatesAsTheReferenceDoesInEveryWay,
                            FollowsRulesThatSeeWholeTensors, LeavesTheSameBitsInTwoRuns,
                            DropoutDrawsTheReferencesMaskToTheBit);

}  // namespace halfstep::test
