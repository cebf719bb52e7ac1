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

template <class Rule>
void expect_thousand_steps(const Rule& rule) {
  std::mt19937 random(7);
  const std::vector<double> start = numbers(random, 37, 1.0);
  std::vector<std::vector<double>> gradients;
  for (int t = 0; t < 1000; ++t) gradients.push_back(numbers(random, start.size(), 0.1));
  expect_textbook(rule, start, gradients);

  const std::vector<double> in_double = run_in_double(rule, start, gradients, gradients.size());
  for (std::size_t i = 0; i < start.size(); ++i) {
    Textbook<double, Rule> textbook{rule};
    double w = start[i];
    int t = 0;
    for (const auto& gradient : gradients) textbook.step(++t, gradient[i], w);
    ASSERT_NEAR(in_double[i], w, 1e-9 * std::fmax(1.0, std::fabs(w)));
  }
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

}  // namespace
}  // namespace halfstep::test
