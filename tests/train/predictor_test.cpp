#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/backend/eigen.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/train/predictor.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "data/scratch_folder.hpp"

namespace {
std::atomic<long> allocations{0};
}
void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace halfstep;
// Of our own code alone: what a vendor library takes from the heap is not ours to count.
using Bf16 = halfstep::Setup<MixedBf16, backend::Eigen>;

struct Net : nn::Module<Bf16> {
  explicit Net(Index hidden = 32) : in(*this, "in", 8, hidden), out(*this, "out", hidden, 3) {}
  nn::Linear<Bf16> in;
  nn::Dropout<Bf16> drop{*this, "drop", 0.5};
  nn::Linear<Bf16> out;
  auto operator()(const nn::Input<Bf16>& x) const { return out(drop(relu(in(x)))); }
};

const std::vector<float> sample{1, -2, 3, 0.5f, 0, -1, 2, 4};

struct PredictorOf : halfstep::test::ScratchFolder {};

TEST_F(PredictorOf, AModelActsAsInEvaluationAndRecordsNothing) {
  Net net;
  net.initialise(2);
  const Predictor predict(net);
  const auto outputs = predict(sample);
  EXPECT_EQ(outputs.size(), 3u);
  EXPECT_EQ(predict(sample), outputs) << "dropout is off";
  EXPECT_TRUE(net.training()) << "and the model's own mode is as it was";
  EXPECT_FALSE(predict(Tensor<bfloat16>(Shape{2, 8})).wants_gradient());
}

TEST_F(PredictorOf, AFileKeepsOnlyTheStoredWeights) {
  Net net;
  net.initialise(2);
  io::save(net, path("net.safetensors"));
  const std::size_t before = device::Cpu::pool().use().in_use;
  const auto predict = Predictor<Net>::load(path("net.safetensors"));
  const std::size_t held = device::Cpu::pool().use().in_use - before;
  EXPECT_EQ(predict(sample), Predictor(net)(sample));
  // 16-bit weights of 8 x 32, 32, 32 x 3 and 3 (each from a cache line on), and a node of autograd
  // for each of the four: no masters, no gradients.
  EXPECT_LT(held, 2 * (256 + 32 + 96 + 32) + 4 * 512);
  EXPECT_THROW(Predictor<Net>::load(path("none.safetensors")), IoError);
  EXPECT_THROW(Predictor<Net>::load(path("net.safetensors"), 16), ShapeError);
}

TEST_F(PredictorOf, ManyThreadsGivesEachWhatOneGets) {
  Net net;
  net.initialise(2);
  const Predictor predict(net);
  const auto expected = predict(sample);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) wrong += predict(sample) != expected;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(PredictorOf, AWarmModelAllocatesNothing) {
  Net net;
  const Predictor predict(net);
  std::vector<float> outputs(3);
  for (int i = 0; i < 3; ++i) predict(sample, outputs);
  const long before = allocations.load();
  const std::size_t system = device::Cpu::pool().use().system_requests;
  for (int i = 0; i < 100; ++i) predict(sample, outputs);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(device::Cpu::pool().use().system_requests, system);
}

TEST_F(PredictorOf, AModelRefusesSizesThatDoNotFit) {
  Net net;
  const Predictor predict(net);
  std::vector<float> outputs(2);
  EXPECT_THROW(predict(sample, outputs), ShapeError);
  EXPECT_THROW(predict(std::vector<float>(7)), ShapeError);
  EXPECT_THROW(predict(sample, Shape{2, 8}, outputs), ShapeError);
}

TEST(TrainingStep, InSteadyStateAllocatesNothing) {
  struct Batch {
    nn::Input<Bf16> x;
    Variable<float, Bf16::Backend> y;
  };
  Net net;
  Trainer trainer(net, optim::AdamW{}, {.clip_norm = 1.0});
  Tensor<bfloat16> x(Shape{16, 8});
  for (bfloat16& v : x.span()) v = bfloat16(0.5f);
  Tensor<float> y(Shape{16, 3});
  for (float& v : y.span()) v = 1.0f;
  const Batch batch{x, y};
  const auto step = [&] {
    trainer.step(batch, [](const auto& model, const auto& b) {
      return mse_loss(cast<float>(model(b.x)), b.y);
    });
  };
  for (int i = 0; i < 5; ++i) step();
  const long before = allocations.load();
  const std::size_t system = device::Cpu::pool().use().system_requests;
  for (int i = 0; i < 50; ++i) step();
  EXPECT_EQ(allocations.load(), before) << "from the heap";
  EXPECT_EQ(device::Cpu::pool().use().system_requests, system) << "for tensors";
}

}  // namespace
