// Training on a GPU's kernels, which run on the host.
#include "support/on_device.hpp"
#include "support/small_training.hpp"

#include <halfstep/autograd/dropout.hpp>
#include <halfstep/backend/grid/host_grid.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/lamb.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

template <class Kind>
struct Half : MixedFp16 {
  using Update = Kind;
};

/// The most exact values of all parameters after each of six steps, the fourth of which is skipped.
template <class Policy, class Backend, class Rule>
std::vector<std::vector<float>> six_steps(const Rule& rule) {
  using S = Setup<Policy, Backend>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, rule, {.clip_norm = 0.5, .decay_vectors = false});
  std::vector<std::vector<float>> after;
  for (int i = 0; i < 6; ++i) {
    const auto report = trainer.step(small_batch<S>(i, i == 3 ? INFINITY : 0.0f), small_loss);
    EXPECT_EQ(report.applied(), i != 3);
    std::vector<float> all;
    for (std::size_t p = 0; p < net.store()->count(); ++p)
      for (const float value : net.store()->read(p)) all.push_back(value);
    after.push_back(all);
  }
  return after;
}

/// Sums are taken in another order than the reference's, so gradients of 16 bits differ by a
/// rounding now and then, each by at most one ulp; a step moves a weight by about the learning rate
/// whatever the gradient's last bit.
template <class Kind, class Rule>
void expect_training_as_on_the_reference(const Rule& rule) {
  const auto expected = six_steps<Half<Kind>, backend::Reference>(rule);
  const auto found = six_steps<Half<Kind>, backend::HostGrid>(rule);
  EXPECT_EQ(found[3], found[2]) << "a skipped step changes nothing";
  for (std::size_t step = 0; step < 6; ++step)
    for (std::size_t i = 0; i < expected[step].size(); ++i)
      EXPECT_NEAR(found[step][i], expected[step][i],
                  0.1 * rule.learning_rate * static_cast<double>(step + 1) +
                      0x1p-11 * std::fabs(expected[step][i]))
          << "step " << step << " number " << i;
}

TEST(HostGridTraining, UpdatesAsTheReferenceDoesInEveryWay) {
  const optim::AdamW rule{.learning_rate = 0.02};
  expect_training_as_on_the_reference<update::MasterWeights>(rule);
  expect_training_as_on_the_reference<update::SplitMaster>(rule);
  expect_training_as_on_the_reference<update::StochasticRounding>(rule);
}

TEST(HostGridTraining, DropoutDrawsTheReferencesMaskToTheBit) {
  const auto mask = []<class B>(std::type_identity<B>) {
    Tensor<float> ones(Shape{1003});
    for (float& one : ones.span()) one = 1.0f;
    const auto y = dropout(Variable<float, B>(on_device<B>(ones)), 0.3, {.seed = 7});
    return on_host<B>(y.value());
  };
  const auto expected = mask(std::type_identity<backend::Reference>());
  EXPECT_EQ(mask(std::type_identity<backend::HostGrid>()), expected);
  EXPECT_GT(std::count(expected.begin(), expected.end(), 0.0f), 200);
}

}  // namespace
}  // namespace halfstep::test
