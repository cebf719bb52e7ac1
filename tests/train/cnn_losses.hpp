#pragma once

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/nn/conv2d.hpp>
#include <halfstep/nn/flatten.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/nn/pooling.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include "support/training_parity.hpp"

// The losses of the convolutional network of training.json.
namespace halfstep::test {

/// (conv 3x3 padding 1, ReLU, max-pool 2) twice, linear: features of channels first, as PyTorch's.
template <class S>
struct Cnn : nn::Module<S> {
  explicit Cnn(const std::vector<Index>& channels)
      : first(*this, "conv1", 1, channels.at(0), 3, {.padding = 1}),
        second(*this, "conv2", channels.at(0), channels.at(1), 3, {.padding = 1}),
        out(*this, "out", channels.at(1) * 49, 10) {}
  nn::Conv2d<S> first;
  nn::Conv2d<S> second;
  nn::Linear<S> out;
  nn::MaxPool2d pool{2};

  auto operator()(const nn::Input<S>& x) const {
    const auto half = pool(relu(first(reshape(x, {-1, 1, 28, 28}))));
    return out(nn::Flatten{}(pool(relu(second(half)))));
  }
};

inline nlohmann::json cnn_case() {
  for (const nlohmann::json& one : parity_cases("training.json"))
    if (one.at("model") == "cnn") return one;
  throw std::runtime_error("training.json has no cnn");
}

template <class Policy, class B>
std::vector<double> cnn_losses(const nlohmann::json& one) {
  using S = halfstep::Setup<Policy, B>;
  Cnn<S> model(one.at("channels").get<std::vector<Index>>());
  EXPECT_EQ(model.store()->count(), one.at("parameters").size());
  start(*model.store(), one.at("bound").get<double>());
  EXPECT_EQ(one.at("optimizer"), "SGD");
  EXPECT_TRUE(one.at("clip_norm").is_null());
  const nlohmann::json& settings = one.at("settings");
  expect_only(settings, {"lr", "momentum"});
  Trainer trainer(
      model, optim::SGD{.learning_rate = settings.at("lr"), .momentum = settings.at("momentum")});
  std::vector<double> result;
  const auto steps = static_cast<Index>(one.at("loss_float64").size());
  for (Index i = 0; i < steps; ++i)
    result.push_back(trainer
                         .step(batch_of<S>(i, one.at("batch").get<Index>()),
                               [](const auto& model, const auto& batch) {
                                 return cross_entropy(model(batch.x), batch.y);
                               })
                         .loss());
  return result;
}

/// FP32 on backend B follows PyTorch's FP64 losses at every step.
template <class B>
void expect_fp32_cnn_follows_fp64() {
  const nlohmann::json one = cnn_case();
  const double ours = distance(cnn_losses<Fp32, B>(one), one.at("loss_float64"));
  testing::Test::RecordProperty("distance", std::to_string(ours));
  EXPECT_LE(ours, 1e-3);
}

/// A mixed run may stray twice as far from FP64 as PyTorch's BF16 autocast does.
template <class Policy, class B>
void expect_cnn_within_autocast() {
  const nlohmann::json one = cnn_case();
  const nlohmann::json& exact = one.at("loss_float64");
  const double autocast =
      distance(one.at("loss_autocast_bfloat16").get<std::vector<double>>(), exact);
  const double ours = distance(cnn_losses<Policy, B>(one), exact);
  testing::Test::RecordProperty("distance", std::to_string(ours));
  EXPECT_LE(ours, 2 * autocast) << "autocast strays by " << autocast;
}

}  // namespace halfstep::test
