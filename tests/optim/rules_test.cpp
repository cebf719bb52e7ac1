#include "rules_checks.hpp"

#include <random>

namespace halfstep::test {
namespace {

std::vector<double> numbers(std::mt19937& random, std::size_t count, double size) {
  std::normal_distribution<double> normal(0.0, size);
  std::vector<double> values(count);
  for (double& value : values) value = normal(random);
  return values;
}

struct Run {
  std::vector<double> start;
  std::vector<std::vector<double>> gradients;
};
Run thousand_steps() {
  std::mt19937 random(7);
  Run run{numbers(random, 37, 1.0), {}};
  for (int t = 0; t < 1000; ++t) run.gradients.push_back(numbers(random, run.start.size(), 0.1));
  return run;
}

template <class Rule>
void expect_thousand_steps_in_double(const Rule& rule) {
  const auto [start, gradients] = thousand_steps();
  const std::vector<double> in_double = run_in_double(rule, start, gradients, gradients.size());
  for (std::size_t i = 0; i < start.size(); ++i) {
    Textbook<double, Rule> textbook{rule};
    double w = start[i];
    int t = 0;
    for (const auto& gradient : gradients) textbook.step(++t, gradient[i], w);
    ASSERT_NEAR(in_double[i], w, 1e-9 * std::fmax(1.0, std::fabs(w)));
  }
}
template <class Rule>
void expect_thousand_steps(const Rule& rule) {
  const auto [start, gradients] = thousand_steps();
  expect_textbook(rule, start, gradients);
  expect_thousand_steps_in_double(rule);
}

TEST(Rules, SgdIsTheTextbooks) {
  expect_thousand_steps(optim::SGD{.learning_rate = 1e-2, .weight_decay = 1e-2});
}
TEST(Rules, SgdWithMomentumAndDampeningIsTheTextbooks) {
  expect_thousand_steps(
      optim::SGD{.learning_rate = 1e-2, .momentum = 0.9, .dampening = 0.3, .weight_decay = 1e-2});
}
TEST(Rules, SgdWithNesterovsMomentumIsTheTextbooks) {
  expect_thousand_steps(optim::SGD{.learning_rate = 1e-2, .momentum = 0.9, .nesterov = true});
}
TEST(Rules, AdamIsTheTextbooks) { expect_thousand_steps(optim::Adam{.weight_decay = 1e-2}); }
TEST(Rules, AdamWIsTheTextbooks) { expect_thousand_steps(optim::AdamW{.weight_decay = 0.1}); }
// In double alone: the sign of a direction near zero is no matter of error bounds.
TEST(Rules, LionIsTheTextbooks) {
  expect_thousand_steps_in_double(optim::Lion{.weight_decay = 0.1});
}
TEST(Rules, AdagradIsTheTextbooks) {
  expect_thousand_steps_in_double(optim::Adagrad{.rate_decay = 1e-3, .weight_decay = 0.1});
}

}  // namespace
}  // namespace halfstep::test
