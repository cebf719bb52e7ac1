#pragma once

#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/pool.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/nn/batch_norm.hpp>
#include <halfstep/nn/conv2d.hpp>
#include <halfstep/nn/layer_norm.hpp>
#include <halfstep/nn/lstm.hpp>
#include <halfstep/nn/multi_head_attention.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/lamb.hpp>
#include <halfstep/optim/schedules/cosine.hpp>

#include <gtest/gtest.h>

#include <thread>

#include "support/backend_test.hpp"
#include "support/small_training.hpp"

// A trainer whose steps run as graphs computes what one computes that runs each operation at once,
// to the bit. The graphs repeat the work that they were made of: whatever a step hands to a kernel
// from the host, and not through the device's memory, would stay as it was.
namespace halfstep::test {

/// Layers of every kind whose kernels take settings from the host.
template <class S>
struct MixedNet : nn::Module<S> {
  nn::Conv2d<S> conv{*this, "conv", 1, 4, 3, {.layout = ImageLayout::channels_last}};
  nn::BatchNorm<S> batch_norm{*this, "batch_norm", 4, {.layout = ImageLayout::channels_last}};
  nn::LayerNorm<S> layer_norm{*this, "layer_norm", 4};
  nn::MultiHeadAttention<S> attention{*this, "attention", 4, 2};
  nn::LSTM<S> lstm{*this, "lstm", 4, 5};
  nn::Dropout<S> dropout{*this, "dropout", 0.3};
  nn::Linear<S> out{*this, "out", 5, 3};

  auto operator()(const nn::Input<S>& x) const {
    const auto images = reshape(x, {-1, 6, 6, 1});
    auto h = max_pool2d(relu(batch_norm(conv(images))), 2, {.layout = ImageLayout::channels_last});
    h = layer_norm(reshape(h, {h.shape()[0], -1, 4}));
    h = h + attention(h);
    return out(dropout(mean(lstm(h), 1)));
  }
};

template <class S>
struct ImageBatch {
  nn::Input<S> x;
  TensorOf<std::int32_t, typename S::Backend> y;
};
/// Batches of eight samples, and of five now and then.
template <class S>
ImageBatch<S> image_batch(int step, float poison) {
  using T = typename S::Activation;
  using B = typename S::Backend;
  const Index rows = step % 4 == 3 ? 5 : 8;
  std::vector<T> x(static_cast<std::size_t>(rows * 36));
  std::vector<std::int32_t> y(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = storage_cast<T>(static_cast<float>((i * 7 + static_cast<std::size_t>(step) * 5) % 11) /
                           8.0f);
  if (poison != 0.0f) x[3] = storage_cast<T>(poison);
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = static_cast<std::int32_t>((i + static_cast<std::size_t>(step)) % 3);
  return {on_device<B>(x).reshaped({rows, 36}), on_device<B>(y)};
}

struct Outcome {
  std::vector<std::pair<std::string, std::vector<double>>> state;
  std::vector<double> losses;
  std::vector<bool> applied;
  GraphUse use;
};

constexpr int steps = 24;

/// The seventh and eighth steps are skipped.
template <class B, class Policy, class Rule>
Outcome train_mixed_net(const Rule& rule, bool graph) {
  using S = halfstep::Setup<Policy, B>;
  MixedNet<S> net;
  net.initialise(3);
  Trainer trainer(net, rule, {.clip_norm = 0.5, .graph = graph}, optim::Cosine{.steps = 40});
  Outcome outcome;
  for (int i = 0; i < steps; ++i) {
    const auto batch = image_batch<S>(i, i == 6 || i == 7 ? INFINITY : 0.0f);
    const auto report = trainer.step(
        batch, [](const auto& model, const auto& b) { return cross_entropy(model(b.x), b.y); });
    outcome.losses.push_back(report.loss());
    outcome.applied.push_back(report.applied());
  }
  outcome.state = all_state(trainer);
  outcome.use = trainer.graph_use();
  return outcome;
}

template <class B, class Policy, class Rule>
void expect_the_same_with_graphs(const Rule& rule) {
  const Outcome direct = train_mixed_net<B, Policy>(rule, false);
  const Outcome graph = train_mixed_net<B, Policy>(rule, true);
  for (int i = 0; i < steps; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(direct.applied[at], i != 6 && i != 7) << i;
    EXPECT_EQ(graph.applied[at], direct.applied[at]) << i;
    if (direct.applied[at]) {
      EXPECT_EQ(graph.losses[at], direct.losses[at]) << i;
    }
  }
  ASSERT_EQ(graph.state.size(), direct.state.size());
  for (std::size_t i = 0; i < direct.state.size(); ++i) EXPECT_EQ(graph.state[i], direct.state[i]);
  EXPECT_EQ(direct.use.captured, 0);
  // Two batch shapes, each with its report in one of two places.
  EXPECT_GE(graph.use.replayed, steps / 2)
      << graph.use.direct << " direct steps, " << graph.use.captured << " captured";
  EXPECT_EQ(graph.use.direct + graph.use.captured + graph.use.replayed, steps);
}

template <class B>
class StepGraphsTraining : public BackendTest<B, bfloat16> {};
TYPED_TEST_SUITE_P(StepGraphsTraining);

TYPED_TEST_P(StepGraphsTraining, GivesTheSameBitsInMixedFp16) {
  expect_the_same_with_graphs<TypeParam, MixedFp16>(optim::AdamW{.learning_rate = 0.01});
}

/// All state after sixteen steps, the fourth of which is skipped.
template <class B, class Policy, class Rule>
auto sixteen_steps(const Rule& rule, bool graph) {
  using S = halfstep::Setup<Policy, B>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, rule, {.graph = graph});
  for (int i = 0; i < 16; ++i)
    trainer.step(small_batch<S>(i, i == 3 ? INFINITY : 0.0f), small_loss);
  if (graph) {
    EXPECT_GE(trainer.graph_use().replayed, 8);
  }
  return all_state(trainer);
}

TYPED_TEST_P(StepGraphsTraining, GivesTheSameBitsWithStochasticRounding) {
  const optim::AdamW rule{.learning_rate = 0.01};
  EXPECT_EQ((sixteen_steps<TypeParam, PureBf16>(rule, true)),
            (sixteen_steps<TypeParam, PureBf16>(rule, false)));
}
TYPED_TEST_P(StepGraphsTraining, GivesTheSameBitsWithARuleThatSeesWholeTensors) {
  const optim::LAMB rule{.learning_rate = 0.01};
  EXPECT_EQ((sixteen_steps<TypeParam, Fp32>(rule, true)),
            (sixteen_steps<TypeParam, Fp32>(rule, false)));
}

TYPED_TEST_P(StepGraphsTraining, EachPhaseOfAccumulationIsReplayed) {
  using S = halfstep::Setup<MixedBf16, TypeParam>;
  const auto run = [](bool graph) {
    SmallNet<S> net;
    net.initialise(5);
    Trainer trainer(net, optim::AdamW{.learning_rate = 0.02}, {.graph = graph});
    for (int i = 0; i < 16; ++i) {
      std::vector<SmallBatch<S>> batches;
      for (int k = 0; k < 2 + i % 2; ++k) batches.push_back(small_batch<S>(3 * i + k));
      trainer.step_over(batches, small_loss);
    }
    if (graph) {
      EXPECT_GE(trainer.graph_use().replayed, 6);
    }
    return all_state(trainer);
  };
  EXPECT_EQ(run(true), run(false));
}

TYPED_TEST_P(StepGraphsTraining, ReadingTheLossInsideTheStepIsRefusedAndChangesNothing) {
  using S = halfstep::Setup<MixedFp16, TypeParam>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, optim::AdamW{});
  for (int i = 0; i < 3; ++i) trainer.step(small_batch<S>(i), small_loss);
  const auto before = all_state(trainer);
  EXPECT_THROW(trainer.step(small_batch<S>(3),
                            [](const auto& model, const auto& batch) {
                              auto loss = small_loss(model, batch);
                              float value = 0.0f;
                              TypeParam::download(loss.value().data(), std::span<float>(&value, 1));
                              return loss;
                            }),
               UsageError);
  EXPECT_EQ(all_state(trainer), before);
  EXPECT_TRUE(trainer.step(small_batch<S>(3), small_loss).applied());
}

TYPED_TEST_P(StepGraphsTraining, InASteadyStateAStepNeitherWaitsNorAsksForMemory) {
  using S = halfstep::Setup<MixedFp16, TypeParam>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, optim::AdamW{}, {.clip_norm = 1.0, .max_skips = 1000});
  StepReport<TypeParam> report;
  std::size_t waits = 0, requests = 0;
  for (int i = 0; i < 40; ++i) {
    report = trainer.step(small_batch<S>(i), small_loss);
    if (i == 9) {
      waits = TypeParam::synchronizations();
      requests = TypeParam::DeviceType::pool().use().system_requests;
    }
  }
  EXPECT_EQ(TypeParam::synchronizations(), waits);
  EXPECT_EQ(TypeParam::DeviceType::pool().use().system_requests, requests);
  EXPECT_GE(trainer.graph_use().replayed, 30);
  EXPECT_TRUE(report.applied());
  EXPECT_GT(TypeParam::synchronizations(), waits) << "reading a report waits";
}

TYPED_TEST_P(StepGraphsTraining, TrainersInTwoThreadsDoNotMeet) {
  using S = halfstep::Setup<MixedFp16, TypeParam>;
  const auto run = [](std::uint64_t seed) {
    SmallNet<S> net;
    net.initialise(seed);
    Trainer trainer(net, optim::AdamW{.learning_rate = 0.02});
    for (int i = 0; i < 100; ++i)
      trainer.step(small_batch<S>(i + static_cast<int>(seed)), small_loss);
    return all_state(trainer);
  };
  const auto first = run(1), second = run(2);
  decltype(run(1)) beside;
  std::thread other([&] { beside = run(2); });
  EXPECT_EQ(run(1), first);
  other.join();
  EXPECT_EQ(beside, second);
}

TYPED_TEST_P(StepGraphsTraining, ADebugScopeAndTelemetryLookIntoStepsThatRunAtOnce) {
  using S = halfstep::Setup<MixedFp16, TypeParam>;
  SmallNet<S> net;
  net.initialise(5);
  Trainer trainer(net, optim::AdamW{});
  Telemetry telemetry({.every = 4});
  trainer.observe(&telemetry);
  for (int i = 0; i < 12; ++i) trainer.step(small_batch<S>(i), small_loss);
  EXPECT_EQ(telemetry.samples(), 3);
  const GraphUse use = trainer.graph_use();
  EXPECT_EQ(use.direct + use.captured + use.replayed, 9);
  EXPECT_GT(use.replayed, 0);
}

REGISTER_TYPED_TEST_SUITE_P(StepGraphsTraining, GivesTheSameBitsInMixedFp16,
                            GivesTheSameBitsWithStochasticRounding,
                            GivesTheSameBitsWithARuleThatSeesWholeTensors,
                            EachPhaseOfAccumulationIsReplayed,
                            ReadingTheLossInsideTheStepIsRefusedAndChangesNothing,
                            InASteadyStateAStepNeitherWaitsNorAsksForMemory,
                            TrainersInTwoThreadsDoNotMeet,
                            ADebugScopeAndTelemetryLookIntoStepsThatRunAtOnce);

}  // namespace halfstep::test
