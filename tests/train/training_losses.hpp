#pragma once

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include <app/char_gpt/gpt.hpp>
#include <app/text.hpp>

#include "support/training_parity.hpp"

// The losses of the multilayer perceptrons and the GPT of training.json.
namespace halfstep::test {

template <class S>
struct Mlp : nn::Module<S> {
  explicit Mlp(Index width) : hidden(*this, "hidden", 784, width), out(*this, "out", width, 10) {}
  nn::Linear<S> hidden;
  nn::Linear<S> out;
  auto operator()(const nn::Input<S>& x) const { return out(relu(hidden(x))); }
};

inline const app::CharacterText& text() {
  static const auto all =
      app::CharacterText::read((example_data() / "tinyshakespeare/input.txt").string());
  return all;
}
/// Row b of batch i starts at character (i batch + b) context.
template <class S>
app::TokenBatch<S> tokens_of(Index number, Index rows, Index context) {
  std::vector<std::size_t> starts;
  for (Index row = 0; row < rows; ++row)
    starts.push_back(static_cast<std::size_t>((number * rows + row) * context));
  return app::token_batch<S>(text().training(), starts, context);
}

/// The loss before each step.
template <class Model, class Rule, class BatchOf, class Loss>
std::vector<double> train(Model& model, const nlohmann::json& one, const Rule& rule,
                          const BatchOf& batch, const Loss& loss) {
  EXPECT_EQ(model.store()->count(), one.at("parameters").size());
  start(*model.store(), one.at("bound").get<double>());
  TrainerSettings settings;
  if (!one.at("clip_norm").is_null()) settings.clip_norm = one.at("clip_norm").get<double>();
  Trainer trainer(model, rule, settings);
  std::vector<double> result;
  const auto steps = static_cast<Index>(one.at("loss_float64").size());
  for (Index i = 0; i < steps; ++i) result.push_back(trainer.step(batch(i), loss).loss());
  return result;
}

template <class Policy, class B, class Rule>
std::vector<double> losses(const nlohmann::json& one, const Rule& rule) {
  using S = halfstep::Setup<Policy, B>;
  const Index rows = one.at("batch").get<Index>();
  if (one.at("model") == "gpt") {
    if constexpr (!std::is_same_v<Rule, optim::AdamW>) {
      throw std::runtime_error("a GPT is compiled with AdamW alone");
    } else {
      const auto extent = [&](const char* name) { return one.at(name).get<Index>(); };
      app::Gpt<S> model({.vocabulary = text().vocabulary(),
                         .layers = extent("layers"),
                         .heads = extent("heads"),
                         .width = extent("width"),
                         .context = extent("context")});
      const auto batch = [&](Index i) { return tokens_of<S>(i, rows, extent("context")); };
      return train(model, one, rule, batch, app::next_token_loss);
    }
  }
  Mlp<S> model(one.at("hidden").get<Index>());
  const auto batch = [&](Index i) { return batch_of<S>(i, rows); };
  return train(model, one, rule, batch, [](const auto& model, const auto& batch) {
    return cross_entropy(model(batch.x), batch.y);
  });
}
/// The loss before each step of a case of training.json.
template <class Policy, class B>
std::vector<double> losses(const nlohmann::json& one) {
  const nlohmann::json& settings = one.at("settings");
  const std::string name = one.at("optimizer");
  if (name == "SGD") {
    expect_only(settings, {"lr", "momentum"});
    return losses<Policy, B>(
        one, optim::SGD{.learning_rate = settings.at("lr"), .momentum = settings.at("momentum")});
  }
  if (name == "AdamW") {
    expect_only(settings, {"lr", "betas", "weight_decay"});
    optim::AdamW rule{.learning_rate = settings.at("lr"),
                      .weight_decay = settings.at("weight_decay")};
    if (settings.contains("betas")) {
      rule.beta1 = settings.at("betas").at(0);
      rule.beta2 = settings.at("betas").at(1);
    }
    return losses<Policy, B>(one, rule);
  }
  throw std::runtime_error("the test does not know the rule " + name);
}

template <class Check>
void for_each_model(const Check& check) {
  int ran = 0;
  for (const nlohmann::json& one : parity_cases("training.json")) {
    const std::string model = one.at("model");
    if (model == "cnn") continue;  // cnn_losses.hpp
    ASSERT_TRUE(model == "mlp" || model == "gpt") << model << " is not built";
    SCOPED_TRACE(model + " " + one.at("parameters").at(0).dump() + " " +
                 one.at("optimizer").dump());
    check(one);
    ++ran;
  }
  EXPECT_GT(ran, 0);
}

/// FP32 on backend B follows PyTorch's FP64 losses at every step.
template <class B>
void expect_fp32_follows_fp64() {
  for_each_model([](const nlohmann::json& one) {
    EXPECT_LE(distance(losses<Fp32, B>(one), one.at("loss_float64")),
              one.at("model") == "mlp" ? 1e-4 : 1e-3);
  });
}

/// A mixed run may stray twice as far from FP64 as PyTorch's BF16 autocast does, or 0.03.
template <class Policy, class B>
void expect_within_autocast() {
  for_each_model([](const nlohmann::json& one) {
    const nlohmann::json& exact = one.at("loss_float64");
    const double autocast =
        distance(one.at("loss_autocast_bfloat16").get<std::vector<double>>(), exact);
    const double ours = distance(losses<Policy, B>(one), exact);
    EXPECT_LE(ours, std::max(2 * autocast, 0.03)) << "autocast strays by " << autocast;
    testing::Test::RecordProperty("distance", std::to_string(ours));
  });
}

}  // namespace halfstep::test
