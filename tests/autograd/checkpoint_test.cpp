#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/checkpoint.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/nn/statistic.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::Shape;
using hs::test::Exact;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

using B = hs::backend::Reference;
using Setup = hs::Setup<hs::MixedBf16, B>;
using Input = hs::nn::Input<Setup>;

/// Residual blocks with dropout, each computed again in backward or not.
struct Blocks : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> first{*this, "first", 8, 8};
  hs::nn::Dropout<Setup> drop_first{*this, "drop_first", 0.4};
  hs::nn::Linear<Setup> second{*this, "second", 8, 8};
  hs::nn::Dropout<Setup> drop_second{*this, "drop_second", 0.4};
  bool again = false;
  bool nested = false;

  Input block(const Input& x) const {
    const Input h = x + drop_first(hs::gelu(first(x)));
    const auto rest = [this](const Input& h) { return h + drop_second(hs::gelu(second(h))); };
    return nested ? hs::checkpoint(rest, h) : rest(h);
  }
  Input operator()(const Input& x) const {
    Input h = x;
    for (int i = 0; i < 3; ++i)
      h = again ? hs::checkpoint([this](const Input& h) { return block(h); }, h) : block(h);
    return h;
  }
};

/// The loss and all gradients of a step, as they are.
std::vector<float> step(bool again, bool nested) {
  Blocks model;
  model.again = again;
  model.nested = nested;
  model.initialise(3);
  const Input x = sample<hs::bfloat16>({5, 8}, 1);
  // The loss's own draw comes after the blocks', whether they are computed once or twice.
  const auto loss = hs::mean(hs::dropout(model(x), 0.2, {1, model.store()->next_draw()}));
  std::vector<float> all{loss.value().data()[0]};
  auto gradients = hs::backward(loss, model.parameters());
  model.store()->for_each_stored(Setup::Storages{}, [&](auto& segment) {
    for (const auto value : segment.gradients().span()) all.push_back(hs::to_float(value));
  });
  return all;
}

TEST(Checkpoint, GradientsAndDropoutsMasksAreTheSameToTheBit) {
  const auto plain = step(false, false);
  EXPECT_EQ(step(true, false), plain);
  EXPECT_EQ(step(false, true), plain);
  EXPECT_EQ(step(true, true), plain) << "one inside another";
  EXPECT_GT(std::count_if(plain.begin(), plain.end(), [](float g) { return g != 0.0f; }), 100);
}

TEST(Checkpoint, KeepsItsInputsAlone) {
  const auto kept = [](bool again) {
    auto& pool = hs::device::Cpu::pool();
    const Exact x = Exact::leaf(sample<double>({1000}, 1));
    const std::size_t before = pool.use().in_use;
    const auto f = [](const Exact& x) {
      Exact h = x;
      for (int i = 0; i < 10; ++i) h = hs::tanh(h);
      return h;
    };
    const Exact y = again ? hs::checkpoint(f, x) : f(x);
    return pool.use().in_use - before;
  };
  EXPECT_GE(kept(false), 10u * 8000u);
  EXPECT_LE(kept(true), 8000u + 1000u) << "the result and a node";
}

TEST(Checkpoint, OfSeveralInputsGivesEachItsGradient) {
  hs::test::expect_gradients(
      [](const Exact& a, const Exact& b) {
        return hs::checkpoint([](const Exact& a, const Exact& b) { return hs::tanh(a * b) + a; },
                              a * 2.0, b) *
               a;
      },
      sample<double>({2, 3}, 1), sample<double>({2, 3}, 2));
}

TEST(Checkpoint, AnInputThatIsAConstantGetsNone) {
  const Exact a = sample<double>({3}, 1), b = Exact::leaf(sample<double>({3}, 2));
  propagate_ones(hs::checkpoint([](const Exact& a, const Exact& b) { return a * b; }, a, b));
  EXPECT_EQ(to_doubles(b.gradient()), to_doubles(a.value()));
}

TEST(Checkpoint, RecordsNothingWhereNothingIsRecorded) {
  const Exact x = Exact::leaf(sample<double>({3}, 1));
  const hs::no_gradient pause;
  EXPECT_FALSE(hs::checkpoint([](const Exact& x) { return x * x; }, x).wants_gradient());
}

TEST(Checkpoint, RefusesAVariableFromOutsideThatIsNoInput) {
  const Exact x = Exact::leaf(sample<double>({3}, 1));
  const Exact outside = hs::tanh(x);
  const Exact y = hs::checkpoint([&](const Exact& x) { return x * outside; }, x);
  try {
    propagate_ones(y);
    FAIL() << "a gradient was lost";
  } catch (const hs::UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("tanh"), std::string::npos) << error.what();
  }
}

TEST(Checkpoint, AStatisticSeesTheBatchOnce) {
  hs::Statistics<B> statistics;
  const std::size_t mean = statistics.add("mean", Shape{2}, 0.0f);
  const Exact x = Exact::leaf(sample<double>({2}, 1));
  hs::Tensor<float> now({2});
  for (float& value : now.span()) value = 8.0f;
  int runs = 0;
  propagate_ones(hs::checkpoint(
      [&](const Exact& x) {
        ++runs;
        statistics.observe(mean, now, 0.5);
        return x * x;
      },
      x));
  EXPECT_EQ(runs, 2);
  const hs::GradientState applied{};
  statistics.commit(&applied);
  EXPECT_EQ(statistics.read(mean), (std::vector<float>{4.0f, 4.0f}));
}

}  // namespace
