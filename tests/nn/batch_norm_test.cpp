#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/test_device.hpp>
#include <halfstep/io/model_file.hpp>
#include <halfstep/nn/batch_norm.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/train/predictor.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "support/on_device.hpp"
#include "support/samples.hpp"

namespace {

using namespace halfstep;
template <class B>
using Half = halfstep::Setup<MixedFp16, B>;
using Reference = backend::Reference;

template <class S>
struct Net : nn::Module<S> {
  nn::Linear<S> hidden{*this, "hidden", 2, 3};
  nn::BatchNorm<S> norm{*this, "norm", 3};
  nn::Linear<S> out{*this, "out", 3, 1};
  auto operator()(const nn::Input<S>& x) const { return out(tanh(norm(hidden(x)))); }
};

template <class S>
struct Batch {
  nn::Input<S> x;
  Variable<float, typename S::Backend> y;
};
template <class S>
Batch<S> batch(std::uint64_t seed, float poison = 0.0f) {
  using B = typename S::Backend;
  auto x = test::sample<float16>({6, 2}, seed);
  const auto y = test::sample<float>({6, 1}, seed + 1);
  if (poison != 0.0f) x.data()[0] = float16(poison);
  return {test::on_device<B>(x), test::on_device<B>(y)};
}
constexpr auto loss = [](const auto& model, const auto& given) {
  return mse_loss(cast<float>(model(given.x)), given.y);
};

template <class M>
std::vector<float> statistic(const M& model, std::string_view name) {
  return model.store()->statistics().read(model.store()->statistics().find(name));
}
template <class S>
std::vector<float> outputs(const Net<S>& model) {
  const Predictor predict(model);
  std::vector<float> result(4);
  predict(std::vector<float>{1, 2, -1, 0.5f, 3, 3, 0, -2}, Shape{4, 2}, result);
  return result;
}

TEST(BatchNorm, MovesItsRunningStatisticsTowardsTheBatch) {
  using S = halfstep::Setup<Fp32, Reference>;
  struct Alone : nn::Module<S> {
    nn::BatchNorm<S> norm{*this, "norm", 2, {.momentum = 0.25}};
    nn::Linear<S> out{*this, "out", 2, 1};
    auto operator()(const nn::Input<S>& x) const { return out(norm(x)); }
  } model;
  Trainer trainer(model, optim::AdamW{});
  const Variable<float, Reference> x(test::values<float>({1, 10, 3, 14}, {2, 2}));
  const Variable<float, Reference> y(test::values<float>({0, 1}, {2, 1}));
  trainer.step(Batch<S>{x, y}, loss);
  // Means 2 and 12, variances over n - 1: 2 and 8; all exact.
  EXPECT_EQ(statistic(model, "norm.running_mean"), (std::vector<float>{0.5f, 3.0f}));
  EXPECT_EQ(statistic(model, "norm.running_var"), (std::vector<float>{1.25f, 2.75f}));
}

TEST(BatchNorm, TakesTheRunningStatisticsInEvaluation) {
  using S = halfstep::Setup<Fp32, Reference>;
  struct Alone : nn::Module<S> {
    nn::BatchNorm<S> norm{*this, "norm", 1, {.epsilon = 0.0}};
    nn::BatchNorm<S> untracked{*this, "untracked", 1, {.track_running_stats = false}};
  } model;
  model.evaluate();
  const Variable<float, Reference> x(test::values<float>({5, 7}, {2, 1}));
  EXPECT_EQ(test::to_doubles(model.norm(x).value()), (std::vector<double>{5, 7}))
      << "mean 0 and variance 1 as yet";
  EXPECT_LT(std::fabs(test::to_doubles(model.untracked(x).value())[0]), 1.0);
  EXPECT_EQ(model.store()->statistics().count(), 2u);
  model.train();
  EXPECT_EQ(test::to_doubles(model.norm(x).value()), (std::vector<double>{-1, 1}));
  EXPECT_EQ(statistic(model, "norm.running_mean"), std::vector<float>{0.0f})
      << "nothing is committed without a step";
}

TEST(BatchNorm, TakesChannelsLastWhereItIsTold) {
  using S = halfstep::Setup<Fp32, Reference>;
  struct Alone : nn::Module<S> {
    nn::BatchNorm<S> norm{*this, "norm", 2, {.epsilon = 0.0, .layout = ImageLayout::channels_last}};
  } model;
  // Means 2 and 4, variances 1 and 4 of the values of a channel; all exact.
  const Variable<float, Reference> x(test::values<float>({1, 2, 3, 6, 1, 6, 3, 2}, {2, 1, 2, 2}));
  const auto y = model.norm(x);
  EXPECT_EQ(y.shape(), x.shape());
  EXPECT_EQ(test::to_doubles(y.value()), (std::vector<double>{-1, -1, 1, 1, -1, 1, 1, -1}));
  model.evaluate();
  EXPECT_EQ(test::to_doubles(model.norm(x).value()), test::to_doubles(x.value()))
      << "mean 0 and variance 1 as yet";
  try {
    model.norm(Variable<float, Reference>(test::sample<float>({2, 2, 3}, 1)));
    ADD_FAILURE() << "three channels were taken for two";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("[samples, ..., 2]"), std::string::npos)
        << error.what();
  }
}

template <class B>
void expect_skipped_steps_leave_statistics() {
  Net<Half<B>> model;
  model.initialise(1);
  Trainer trainer(model, optim::AdamW{}, TrainerSettings{}, optim::ConstantRate{},
                  DynamicLossScaling{.initial_scale = 1024});
  trainer.step(batch<Half<B>>(1), loss);
  const auto mean = statistic(model, "norm.running_mean");
  const auto variance = statistic(model, "norm.running_var");
  EXPECT_NE(mean, std::vector<float>(3, 0.0f));
  EXPECT_NE(variance, std::vector<float>(3, 1.0f));
  EXPECT_FALSE(trainer.step(batch<Half<B>>(2, INFINITY), loss).applied());
  EXPECT_EQ(statistic(model, "norm.running_mean"), mean);
  EXPECT_EQ(statistic(model, "norm.running_var"), variance);
  EXPECT_TRUE(trainer.step(batch<Half<B>>(3), loss).applied());
  EXPECT_TRUE(std::isfinite(statistic(model, "norm.running_mean")[0]));
  EXPECT_NE(statistic(model, "norm.running_mean"), mean);
}

TEST(BatchNorm, ASkippedStepLeavesItsStatisticsBitIdentical) {
  expect_skipped_steps_leave_statistics<Reference>();
  expect_skipped_steps_leave_statistics<backend::Delayed>();
}

TEST(BatchNorm, ItsStatisticsGoWithTheModelToClonesFilesAndPredictors) {
  using S = Half<Reference>;
  Net<S> model;
  model.initialise(1);
  Trainer trainer(model, optim::AdamW{}, TrainerSettings{}, optim::ConstantRate{},
                  DynamicLossScaling{.initial_scale = 1024});
  for (std::uint64_t step = 0; step < 5; ++step) trainer.step(batch<S>(step), loss);
  const auto expected = outputs(model);
  const auto copy = clone(model);
  EXPECT_EQ(outputs(*copy), expected);
  const auto path =
      (std::filesystem::temp_directory_path() / "halfstep_batch_norm_test.safetensors").string();
  io::save(model, path);
  Net<S> loaded;
  io::load(loaded, path);
  EXPECT_EQ(statistic(loaded, "norm.running_var"), statistic(model, "norm.running_var"));
  EXPECT_EQ(outputs(loaded), expected);
  const auto predict = Predictor<Net<S>>::load(path);
  std::filesystem::remove(path);
  std::vector<float> result(4);
  predict(std::vector<float>{1, 2, -1, 0.5f, 3, 3, 0, -2}, Shape{4, 2}, result);
  EXPECT_EQ(result, expected);
}

TEST(BatchNorm, NamesItselfShapesAndRemedy) {
  using S = halfstep::Setup<Fp32, Reference>;
  struct Alone : nn::Module<S> {
    nn::BatchNorm<S> norm{*this, "norm", 3};
  } model;
  EXPECT_THROW(nn::BatchNorm<S>(model, "none", 0), ShapeError);
  EXPECT_THROW(nn::BatchNorm<S>(model, "norm2", 3, {.momentum = 1.5}), UsageError);
  const auto message = [&](const Shape& shape) {
    try {
      model.norm(Variable<float, Reference>(test::sample<float>(shape, 1)));
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no ShapeError");
  };
  for (const char* part : {"'norm'", "[1, 3] float", "one value per channel", "larger batches"})
    EXPECT_NE(message({1, 3}).find(part), std::string::npos) << message({1, 3});
  for (const char* part : {"BatchNorm 'norm'", "[4, 2] float", "[samples, 3, ...]"})
    EXPECT_NE(message({4, 2}).find(part), std::string::npos) << message({4, 2});
}

}  // namespace
