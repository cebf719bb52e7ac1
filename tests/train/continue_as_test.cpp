#include "support/small_training.hpp"

#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/schedules/cosine.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

using Half = OnReference<MixedFp16>;
using Float = OnReference<Fp32>;

const optim::AdamW rule{.learning_rate = 0.02, .weight_decay = 0.1};
const TrainerSettings settings{.clip_norm = 1.0, .decay_vectors = false};
const DynamicLossScaling scaling{.initial_scale = 1024.0, .growth_interval = 3};

template <class Net>
std::vector<std::vector<float>> values(Net& net) {
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < net.store()->count(); ++i) all.push_back(net.store()->read(i));
  return all;
}
/// Moments and counters.
template <class T>
std::vector<std::pair<std::string, std::vector<double>>> optimizer_state(T& trainer) {
  auto all = all_state(trainer);
  std::erase_if(all, [](const auto& entry) { return !entry.first.starts_with("optimizer/"); });
  return all;
}

TEST(ContinueAs, MovesMastersMomentsCountersScheduleScaleAndPlaceExactly) {
  SmallNet<Half> half;
  half.initialise(3);
  Trainer first(half, rule, settings, optim::Cosine{.steps = 40}, scaling);
  for (int i = 0; i < 5; ++i) first.step(small_batch<Half>(i), small_loss);
  first.step(small_batch<Half>(5, INFINITY), small_loss);
  const auto masters = values(half);
  const auto moments = optimizer_state(first);
  const auto scale = first.scaler().state();
  const double rate = first.optimizer().learning_rate();
  const auto mean = half.store()->statistics().read(0);

  SmallNet<Float> wide;
  auto second = std::move(first).continue_as(wide);
  EXPECT_EQ(values(wide), masters);
  EXPECT_EQ(optimizer_state(second), moments);
  EXPECT_EQ(second.optimizer().learning_rate(), rate);
  EXPECT_EQ(second.optimizer().rule(optim::undecayed_group).weight_decay, 0.0);
  EXPECT_EQ(second.applied_steps(), 5);
  EXPECT_EQ(second.skipped_steps(), 1);
  EXPECT_EQ(second.place(), (data::LoaderPosition{0, 6}));
  EXPECT_EQ(wide.store()->statistics().read(0), mean);
  EXPECT_EQ(wide.store()->seed(), half.store()->seed());

  SmallNet<Half> again;
  auto third = std::move(second).continue_as(again);
  EXPECT_EQ(values(again), masters) << "a round trip keeps the masters' bits";
  EXPECT_EQ(optimizer_state(third), moments);
  EXPECT_EQ(third.scaler().state(), scale) << "kept through a stage without scaling";
  EXPECT_EQ(third.scaler().scaling().growth_interval, 3);
}

TEST(ContinueAs, WithoutAChangeOfPrecisionGoesOnAsIfNothingHadHappened) {
  SmallNet<Half> whole, part, rest;
  whole.initialise(3);
  part.initialise(3);
  Trainer at_once(whole, rule, settings, optim::Cosine{.steps = 40}, scaling);
  Trainer begun(part, rule, settings, optim::Cosine{.steps = 40}, scaling);
  for (int i = 0; i < 7; ++i) {
    at_once.step(small_batch<Half>(i), small_loss);
    begun.step(small_batch<Half>(i), small_loss);
  }
  auto gone_on = std::move(begun).continue_as(rest);
  for (int i = 7; i < 12; ++i) {
    const auto a = at_once.step(small_batch<Half>(i), small_loss);
    const auto b = gone_on.step(small_batch<Half>(i), small_loss);
    ASSERT_EQ(a.loss(), b.loss()) << "dropout's masks go on too";
  }
  EXPECT_EQ(all_state(at_once), all_state(gone_on));
}

template <class S>
struct Wider : nn::Module<S> {
  nn::Linear<S> hidden{*this, "hidden", 2, 17};
  nn::Linear<S> out{*this, "out", 17, 1};
};
template <class S>
struct Deeper : SmallNet<S> {
  nn::Linear<S> last{*this, "last", 1, 1};
};

TEST(ContinueAs, RefusesAnotherModelAndLeavesBothAsTheyWere) {
  SmallNet<Half> half;
  half.initialise(3);
  Trainer trainer(half, rule);
  trainer.step(small_batch<Half>(0), small_loss);
  const auto before = all_state(trainer);
  Wider<Float> wider;
  Deeper<Float> deeper;
  const auto initial = values(deeper);
  EXPECT_THROW(std::move(trainer).continue_as(wider), halfstep::Error);
  EXPECT_THROW(std::move(trainer).continue_as(deeper), UsageError);
  EXPECT_EQ(values(deeper), initial);
  EXPECT_EQ(all_state(trainer), before);
  SmallNet<Float> trained;
  const Trainer taken(trained, rule);
  EXPECT_THROW(std::move(trainer).continue_as(trained), UsageError);
  EXPECT_TRUE(trainer.step(small_batch<Half>(1), small_loss).applied());
}

TEST(Trainer, ASkippedStepLeavesStatisticsAsTheyWere) {
  SmallNet<Half> net;
  Trainer trainer(net, rule, settings, optim::ConstantRate{}, scaling);
  trainer.step(small_batch<Half>(0), small_loss);
  const auto mean = net.store()->statistics().read(0);
  EXPECT_NE(mean, std::vector<float>(2, 0.0f));
  trainer.step(small_batch<Half>(1, INFINITY), small_loss);
  EXPECT_EQ(net.store()->statistics().read(0), mean);
  trainer.step(small_batch<Half>(1), small_loss);
  const auto after = net.store()->statistics().read(0);
  EXPECT_TRUE(std::isfinite(after[0])) << "what the skipped step saw is gone";
  EXPECT_NE(after, mean);
}

}  // namespace
}  // namespace halfstep::test
