#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/clip_value.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using namespace halfstep;

/// y = (3 a - 2 b) / 64, to be learned by two layers: small enough for a loss scale of 65536.
template <class S>
struct Samples {
  nn::Input<S> x;
  Variable<float, typename S::Backend> y;
};
template <class S>
Samples<S> samples(Index rows, float poison = 0.0f) {
  Tensor<typename S::Activation> x({rows, 2});
  Tensor<float> y({rows, 1});
  for (Index i = 0; i < rows; ++i) {
    const float a = static_cast<float>(i % 5) - 2.0f;
    const float b = static_cast<float>(i % 3) - 1.0f;
    x.data()[2 * i] = storage_cast<typename S::Activation>(a);
    x.data()[2 * i + 1] = storage_cast<typename S::Activation>(b);
    y.data()[i] = (3.0f * a - 2.0f * b) / 64.0f;
  }
  if (poison != 0.0f) x.data()[0] = storage_cast<typename S::Activation>(poison);
  return {x, y};
}
template <class S>
struct Net : nn::Module<S> {
  nn::Linear<S> hidden{*this, "hidden", 2, 16};
  nn::Linear<S> out{*this, "out", 16, 1};
  auto operator()(const nn::Input<S>& x) const { return out(tanh(hidden(x))); }
};
constexpr auto loss = [](const auto& model, const auto& batch) {
  return mse_loss(cast<float>(model(batch.x)), batch.y);
};
template <class S>
std::vector<std::vector<float>> state(Net<S>& net, auto& trainer) {
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < net.store()->count(); ++i) all.push_back(net.store()->read(i));
  trainer.optimizer().visit_state([&](const std::string& name, const auto& tensor) {
    if (name == "attempted_steps") return;
    std::vector<float> values;
    for (const auto& v : tensor.span()) values.push_back(static_cast<float>(v));
    all.push_back(values);
  });
  return all;
}

template <class Policy>
class TrainerUnder : public testing::Test {};
struct PolicyName {
  template <class P>
  static std::string GetName(int) {
    return std::string(P::name);
  }
};
using Policies = testing::Types<Fp32, MixedFp16, MixedBf16, PureFp16, PureBf16>;
TYPED_TEST_SUITE(TrainerUnder, Policies, PolicyName);

TYPED_TEST(TrainerUnder, EveryPolicyLearns) {
  using S = halfstep::Setup<TypeParam, backend::Reference>;
  Net<S> net;
  net.initialise(1);
  Trainer trainer(net, optim::AdamW{.learning_rate = 2e-2});
  const auto batch = samples<S>(15);
  const double first = trainer.step(batch, loss).loss();
  StepReport<backend::Reference> last;
  for (int i = 0; i < 300; ++i) last = trainer.step(batch, loss);
  EXPECT_TRUE(last.applied());
  EXPECT_LT(last.loss(), first / 20);
  EXPECT_EQ(trainer.applied_steps() + trainer.skipped_steps(), 301);
}

TYPED_TEST(TrainerUnder, ANanBatchChangesNothingAndIsReported) {
  using S = halfstep::Setup<TypeParam, backend::Reference>;
  Net<S> net;
  Trainer trainer(net, optim::AdamW{});
  trainer.step(samples<S>(6), loss);
  const auto before = state(net, trainer);
  const double scale = trainer.loss_scale();
  for (int i = 0; i < 19; ++i) {
    const auto report = trainer.step(samples<S>(6, NAN), loss);
    ASSERT_FALSE(report.applied());
    ASSERT_EQ(report.skip_reason(), SkipReason::loss_not_finite);
    ASSERT_TRUE(std::isnan(report.loss()));
  }
  EXPECT_EQ(state(net, trainer), before) << "parameters, masters, moments and the applied counter";
  EXPECT_EQ(trainer.loss_scale(), scale) << "no scale mends a NaN loss";
  EXPECT_EQ(trainer.applied_steps(), 1);
  EXPECT_EQ(trainer.skipped_steps(), 19);
  EXPECT_TRUE(trainer.step(samples<S>(6), loss).applied()) << "and training goes on";
}

TYPED_TEST(TrainerUnder, TwentyNanBatchesInARowStopTheRunByName) {
  using S = halfstep::Setup<TypeParam, backend::Reference>;
  Net<S> net;
  Trainer trainer(net, optim::AdamW{});
  for (int i = 0; i < 19; ++i) trainer.step(samples<S>(6, NAN), loss);
  try {
    trainer.step(samples<S>(6, NAN), loss);
    FAIL() << "twenty in a row";
  } catch (const NonFiniteError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("20 steps in a row"), std::string::npos) << text;
    EXPECT_NE(text.find("'hidden.weight'"), std::string::npos) << text;
    EXPECT_NE(text.find("loss is NaN"), std::string::npos) << text;
  }
}

using F16 = halfstep::Setup<MixedFp16, backend::Reference>;
using F32 = halfstep::Setup<Fp32, backend::Reference>;

TEST(Trainer, LowersTheScaleWhenGradientsOverflowAndGoesOn) {
  Net<F16> net;
  Trainer trainer(net, optim::SGD{.learning_rate = 1e-3}, {}, optim::ConstantRate{},
                  DynamicLossScaling{.initial_scale = 16777216.0});
  int skipped = 0;
  for (int i = 0; i < 30; ++i) skipped += !trainer.step(samples<F16>(6), loss).applied();
  EXPECT_GT(skipped, 0) << "2^24 times a gradient of one overflows FP16";
  EXPECT_LT(skipped, 25) << "and a lower scale mends it";
  EXPECT_EQ(trainer.loss_scale(), std::ldexp(16777216.0, -skipped));
  EXPECT_EQ(trainer.skipped_steps(), skipped);
}

TEST(Trainer, WhenStuckDoesWhatItsSettingsSay) {
  const auto bad = samples<F32>(6, NAN);
  Net<F32> net;
  Trainer skipping(net, optim::SGD{}, {.max_skips = 1, .when_stuck = WhenStuck::skip});
  for (int i = 0; i < 3; ++i) EXPECT_NO_THROW(skipping.step(bad, loss));
  std::vector<std::string> asked;
  Trainer asking(net, optim::SGD{}, {.max_skips = 2, .call_back = [&](const StuckTraining& stuck) {
                                       asked.push_back(stuck.parameter);
                                       return asked.size() == 1 ? WhenStuck::skip
                                                                : WhenStuck::throw_error;
                                     }});
  for (int i = 0; i < 3; ++i) EXPECT_NO_THROW(asking.step(bad, loss));
  EXPECT_THROW(asking.step(bad, loss), NonFiniteError);
  EXPECT_EQ(asked, (std::vector<std::string>{"hidden.weight", "hidden.weight"}));
}

TEST(Trainer, NamesTheParameterThatAnEarlierMicroBatchMadeBad) {
  Net<F16> net;
  Trainer trainer(net, optim::SGD{}, {.max_skips = 1});
  try {
    trainer.step_over(std::vector<Samples<F16>>{samples<F16>(6, NAN), samples<F16>(6)}, loss);
    FAIL();
  } catch (const NonFiniteError& error) {
    EXPECT_NE(std::string(error.what()).find("'hidden.weight'"), std::string::npos) << error.what();
  }
}

TEST(Trainer, ClipsByNormAndSaysSo) {
  Net<F32> net;
  Trainer trainer(net, optim::SGD{.learning_rate = 1.0}, {.clip_norm = 0.01});
  const auto before = net.store()->read(0);
  const auto report = trainer.step(samples<F32>(6), loss);
  EXPECT_GT(report.gradient_norm(), 0.01);
  EXPECT_NEAR(report.clip_factor(), 0.01 / (report.gradient_norm() + 1e-6), 1e-12);
  double square = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i)
    square += std::pow(static_cast<double>(net.store()->read(0)[i] - before[i]), 2);
  EXPECT_LE(std::sqrt(square), 0.01 * 1.001) << "a step of SGD at rate 1 is the gradient itself";
  EXPECT_GT(square, 0.0);
}

TEST(Trainer, ShowsItsUnscaledGradientsToWhoWantsToChangeThem) {
  Net<F16> net;
  Trainer trainer(net, optim::SGD{.learning_rate = 1.0});
  const auto before = net.store()->read(0);
  bool finite = false;
  trainer.step(samples<F16>(6), loss, [&](auto& gradients) {
    finite = gradients.finite();
    optim::clip_value(gradients, 0x1p-8);
  });
  EXPECT_TRUE(finite);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_LE(std::fabs(net.store()->read(0)[i] - before[i]), 0x1p-8f * (1 + 0x1p-10f));
}

TEST(Trainer, TakesMicroBatchesAsOneBatch) {
  const auto all = samples<F32>(12);
  std::vector<Samples<F32>> parts;
  for (Index i = 0; i < 12; i += 4)
    parts.push_back({all.x.value().rows(i, 4), all.y.value().rows(i, 4)});
  Net<F32> whole;
  Net<F32> split;
  Trainer at_once(whole, optim::SGD{.learning_rate = 0.1});
  Trainer in_parts(split, optim::SGD{.learning_rate = 0.1});
  const double loss_at_once = at_once.step(all, loss).loss();
  const double loss_in_parts = in_parts.step_over(parts, loss).loss();
  // Sums of 12 terms in another order: a few roundings of 2^-24 each, of values below 100.
  EXPECT_NEAR(loss_at_once, loss_in_parts, 100 * 24 * 0x1p-24);
  for (std::size_t i = 0; i < whole.store()->count(); ++i) {
    const auto a = whole.store()->read(i);
    const auto b = split.store()->read(i);
    for (std::size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(a[j], b[j], 100 * 24 * 0x1p-24);
  }
  const std::vector<Samples<F32>> none;
  EXPECT_THROW(in_parts.step_over(none, loss), UsageError);
}

TEST(Trainer, RefusesSettingsThatCannotWork) {
  Net<F32> net;
  EXPECT_THROW(Trainer(net, optim::SGD{}, {.clip_norm = -1.0}), UsageError);
  EXPECT_THROW(Trainer(net, optim::SGD{}, {.clip_norm = NAN}), UsageError);
  EXPECT_THROW(Trainer(net, optim::SGD{}, {.max_skips = 0}), UsageError);
  EXPECT_THROW(Trainer(net, optim::AdamW{.learning_rate = -1.0}), UsageError);
}

}  // namespace
