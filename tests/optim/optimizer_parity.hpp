#pragma once

#include "rules_checks.hpp"
#include "support/backend_test.hpp"
#include "support/parity_file.hpp"

#include <halfstep/optim/adafactor.hpp>

// The rules against PyTorch's trajectories.
namespace halfstep::test {

/// The rule in double on backend B follows PyTorch.
template <class B, class Rule>
void expect_trajectory(const Rule& rule, const nlohmann::json& one) {
  const auto start = one.at("start").get<std::vector<double>>();
  const auto gradients = one.at("gradients").get<std::vector<std::vector<double>>>();
  for (const auto& [steps, expected_values] : one.at("after").items()) {
    const auto expected = expected_values.template get<std::vector<double>>();
    const auto actual = run_in_double<B>(rule, start, gradients, std::stoul(steps));
    double largest = 0.0;
    for (const double value : expected) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(actual[i], expected[i], 1e-9 * largest) << one.at("settings") << " " << steps;
  }
}
/// The same, and in the storage types on backend `Stored` what the textbook says.
template <class B, class Stored, class Rule>
void expect_case(const Rule& rule, const nlohmann::json& one) {
  expect_trajectory<B>(rule, one);
  expect_textbook<Stored>(rule, one.at("start").get<std::vector<double>>(),
                          one.at("gradients").get<std::vector<std::vector<double>>>());
}

template <class Adam>
Adam adam(const nlohmann::json& s) {
  expect_only(s, {"lr", "betas", "eps", "weight_decay"});
  Adam rule;
  rule.learning_rate = setting(s, "lr", rule.learning_rate);
  if (s.contains("betas")) {
    rule.beta1 = s.at("betas").at(0);
    rule.beta2 = s.at("betas").at(1);
  }
  rule.epsilon = setting(s, "eps", rule.epsilon);
  rule.weight_decay = setting(s, "weight_decay", rule.weight_decay);
  return rule;
}

template <class B, class Stored>
void expect_optimizer_parity(const nlohmann::json& one) {
  const std::string name = one.at("rule");
  const nlohmann::json& s = one.at("settings");
  if (name == "SGD") {
    expect_only(s, {"lr", "momentum", "dampening", "weight_decay", "nesterov"});
    optim::SGD rule;
    rule.learning_rate = setting(s, "lr", rule.learning_rate);
    rule.momentum = setting(s, "momentum", rule.momentum);
    rule.dampening = setting(s, "dampening", rule.dampening);
    rule.weight_decay = setting(s, "weight_decay", rule.weight_decay);
    rule.nesterov = setting(s, "nesterov", rule.nesterov);
    expect_case<B, Stored>(rule, one);
  } else if (name == "Adam") {
    expect_case<B, Stored>(adam<optim::Adam>(s), one);
  } else if (name == "AdamW") {
    expect_case<B, Stored>(adam<optim::AdamW>(s), one);
  } else if (name == "RMSprop") {
    expect_only(s, {"lr", "alpha", "eps", "weight_decay", "momentum"});
    optim::RMSprop rule;
    rule.learning_rate = setting(s, "lr", rule.learning_rate);
    rule.alpha = setting(s, "alpha", rule.alpha);
    rule.epsilon = setting(s, "eps", rule.epsilon);
    rule.weight_decay = setting(s, "weight_decay", rule.weight_decay);
    rule.momentum = setting(s, "momentum", rule.momentum);
    expect_case<B, Stored>(rule, one);
  } else if (name == "Adagrad") {
    expect_only(s, {"lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"});
    optim::Adagrad rule;
    rule.learning_rate = setting(s, "lr", rule.learning_rate);
    rule.rate_decay = setting(s, "lr_decay", rule.rate_decay);
    rule.weight_decay = setting(s, "weight_decay", rule.weight_decay);
    rule.initial_sum = setting(s, "initial_accumulator_value", rule.initial_sum);
    rule.epsilon = setting(s, "eps", rule.epsilon);
    expect_case<B, Stored>(rule, one);
  } else if (name == "Adafactor") {
    expect_only(s, {"lr", "beta2_decay", "eps", "d", "weight_decay"});
    optim::Adafactor rule;
    rule.learning_rate = setting(s, "lr", rule.learning_rate);
    rule.beta2_decay = setting(s, "beta2_decay", rule.beta2_decay);
    if (s.contains("eps")) {
      if (!s.at("eps").at(0).is_null()) rule.epsilon1 = s.at("eps").at(0);
      rule.epsilon2 = s.at("eps").at(1);
    }
    rule.clip = setting(s, "d", rule.clip);
    rule.weight_decay = setting(s, "weight_decay", rule.weight_decay);
    expect_trajectory<B>(rule, one);
  } else {
    FAIL() << "the rule " << name << " is not there";
  }
}

/// Every case of optimizers.json.
template <class B, class Stored>
void expect_optimizer_parity() {
  const nlohmann::json cases = parity_cases("optimizers.json");
  ASSERT_FALSE(cases.empty());
  for (const nlohmann::json& one : cases) expect_optimizer_parity<B, Stored>(one);
}

}  // namespace halfstep::test
