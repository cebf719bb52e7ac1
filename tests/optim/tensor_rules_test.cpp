// LAMB and Adafactor, which see a whole tensor before a weight of it moves.
#include "rules_checks.hpp"

#include <halfstep/optim/adafactor.hpp>
#include <halfstep/optim/lamb.hpp>
#include <halfstep/optim/split_master.hpp>

#include <numeric>

namespace halfstep::test {
namespace {

using Vector = std::vector<double>;

double norm(const Vector& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}
double root_mean_square(const Vector& x) {
  return norm(x) / std::sqrt(static_cast<double>(x.size()));
}

/// Algorithm 2 of arXiv 1904.00962.
Vector lamb_by_the_paper(const optim::LAMB& s, Vector w, const std::vector<Vector>& gradients) {
  Vector m(w.size()), v(w.size()), u(w.size());
  int t = 0;
  for (const Vector& g : gradients) {
    ++t;
    for (std::size_t i = 0; i < w.size(); ++i) {
      m[i] = s.beta1 * m[i] + (1 - s.beta1) * g[i];
      v[i] = s.beta2 * v[i] + (1 - s.beta2) * g[i] * g[i];
      const double unbiased = m[i] / (1 - std::pow(s.beta1, t));
      u[i] = unbiased / (std::sqrt(v[i] / (1 - std::pow(s.beta2, t))) + s.epsilon) +
             s.weight_decay * w[i];
    }
    const double ratio = norm(w) > 0 && norm(u) > 0 ? norm(w) / norm(u) : 1.0;
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= s.learning_rate * ratio * u[i];
  }
  return w;
}

/// Algorithms 4 and 5 of arXiv 1804.04235 with the paper's epsilon1 = 1e-30 added to the squares.
Vector adafactor_by_the_paper(const optim::Adafactor& s, Vector w, std::size_t rows,
                              const std::vector<Vector>& gradients) {
  const std::size_t columns = w.size() / rows;
  Vector r(rows), c(columns), u(w.size());
  int t = 0;
  for (const Vector& g : gradients) {
    ++t;
    const double beta2 = 1.0 - std::pow(t, s.beta2_decay);
    Vector row_sums(rows), column_sums(columns);
    for (std::size_t i = 0; i < w.size(); ++i) {
      row_sums[i / columns] += g[i] * g[i] + 1e-30;
      column_sums[i % columns] += g[i] * g[i] + 1e-30;
    }
    for (std::size_t i = 0; i < rows; ++i) r[i] = beta2 * r[i] + (1 - beta2) * row_sums[i];
    for (std::size_t i = 0; i < columns; ++i) c[i] = beta2 * c[i] + (1 - beta2) * column_sums[i];
    const double total = std::accumulate(r.begin(), r.end(), 0.0);
    for (std::size_t i = 0; i < w.size(); ++i)
      u[i] = g[i] / std::sqrt(r[i / columns] * c[i % columns] / total);
    const double clip = std::max(1.0, root_mean_square(u) / s.clip);
    const double alpha =
        std::max(s.epsilon2, root_mean_square(w)) * std::min(s.learning_rate, 1.0 / std::sqrt(t));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= alpha * u[i] / clip;
  }
  return w;
}

/// Gradients of a matrix over some steps.
std::vector<Vector> gradients_of(std::size_t size, int steps) {
  std::vector<Vector> all;
  for (int t = 0; t < steps; ++t) {
    Vector g;
    for (std::size_t i = 0; i < size; ++i)
      g.push_back(std::sin(0.9 * static_cast<double>(i) + 0.37 * t) *
                  std::exp2(static_cast<double>(i % 5) - 3.0));
    all.push_back(std::move(g));
  }
  return all;
}
Vector start_of(std::size_t size) {
  Vector w;
  for (std::size_t i = 0; i < size; ++i) w.push_back(std::cos(1.7 * static_cast<double>(i)));
  return w;
}

using Double = Setup<Fp64, backend::Reference>;

/// Runs a rule on one parameter of this shape in double.
template <class Rule>
Vector run(const Rule& rule, const Shape& shape, const Vector& start,
           const std::vector<Vector>& gradients) {
  FlatModel<Double> model;
  model.add_shaped<double>("w", shape, start);
  Optimizer optimizer(model.parameters(), rule);
  for (const Vector& g : gradients) optimizer.step(model.gradients(g));
  return model.weights("w");
}
void expect_equal(const Vector& actual, const Vector& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0.0;
  for (const double x : expected) largest = std::max(largest, std::fabs(x));
  // A few hundred roundings of 2^-53 a step, of values of about one.
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-12 * largest) << i;
}

TEST(TensorRules, LambFollowsItsPaper) {
  const optim::LAMB rule{.learning_rate = 0.02, .weight_decay = 0.05};
  const Vector start = start_of(35);
  expect_equal(run(rule, {5, 7}, start, gradients_of(35, 50)),
               lamb_by_the_paper(rule, start, gradients_of(35, 50)));
}
TEST(TensorRules, LambTakesAdamsStepWhereAWeightIsZero) {
  const optim::LAMB rule{.learning_rate = 0.5, .epsilon = 0.0, .weight_decay = 0.0};
  for (const double w : run(rule, {4}, Vector(4, 0.0), {Vector(4, 3.0)})) EXPECT_EQ(w, -0.5);
}

TEST(TensorRules, AdafactorOfAMatrixFollowsItsPaper) {
  const optim::Adafactor rule{.learning_rate = 0.05};
  const Vector start = start_of(35);
  expect_equal(run(rule, {5, 7}, start, gradients_of(35, 50)),
               adafactor_by_the_paper(rule, start, 5, gradients_of(35, 50)));
}
TEST(TensorRules, AdafactorFactorsEachMatrixOfAStackByItself) {
  // Without the scale of the whole tensor, a stack of two is two matrices.
  const optim::Adafactor rule{.learning_rate = 0.05, .epsilon2 = 10.0, .clip = 1e9};
  const Vector start = start_of(24);
  const auto gradients = gradients_of(24, 20);
  const auto half = [](const Vector& x, int which) {
    return Vector(x.begin() + 12 * which, x.begin() + 12 * (which + 1));
  };
  const Vector whole = run(rule, {2, 3, 4}, start, gradients);
  for (const int which : {0, 1}) {
    std::vector<Vector> part;
    for (const Vector& g : gradients) part.push_back(half(g, which));
    expect_equal(half(whole, which), run(rule, {3, 4}, half(start, which), part));
  }
}
TEST(TensorRules, AdafactorKeepsARowAndAColumnOfAMatrix) {
  FlatModel<Double> model;
  model.add_shaped<double>("matrix", {64, 96}, Vector(64 * 96, 1.0));
  model.add_shaped<double>("vector", {32}, Vector(32, 1.0));
  const Optimizer optimizer(model.parameters(), optim::Adafactor{});
  EXPECT_EQ(optimizer.memory().moments, (64 + 96 + 32) * Index{sizeof(double)});
}

/// Bits of weights and state before and after a step that must be skipped, and that it was.
template <class Setup, class Wrapper>
void expect_skips_clean(const Wrapper& rule) {
  FlatModel<Setup> model;
  model.template add_shaped<typename Setup::Parameter>("w", {4, 8}, start_of(32));
  Optimizer optimizer(model.parameters(), rule);
  const auto gradients = gradients_of(32, 4);
  for (const Vector& g : gradients) optimizer.step(model.gradients(g, 1024.0));
  const auto bits = [&] {
    std::vector<float> all = model.store().read(0);
    optimizer.visit_state([&](const std::string& name, auto& tensor) {
      if (name == "attempted_steps") return;
      for (const auto value : tensor.span()) all.push_back(static_cast<float>(value));
    });
    return all;
  };
  const auto before = bits();
  EXPECT_FALSE(optimizer.step(model.gradients({1.0, INFINITY}, 1024.0)).applied());
  EXPECT_EQ(bits(), before);
  EXPECT_TRUE(optimizer.step(model.gradients(gradients[0], 1024.0)).applied());
  EXPECT_NE(bits(), before);
}
TEST(TensorRules, ASkippedStepKeepsEveryBit) {
  using Setup = halfstep::Setup<MixedBf16, backend::Reference>;
  expect_skips_clean<Setup>(optim::MasterWeights{optim::LAMB{}});
  expect_skips_clean<Setup>(optim::SplitMaster{optim::Adafactor{}});
}

TEST(TensorRules, MixedPrecisionFollowsDoubleAsFarAsFp32Goes) {
  using Mixed = halfstep::Setup<MixedBf16, backend::Default>;
  const auto check = [](const auto& rule) {
    const Vector start = start_of(35);
    std::vector<Vector> gradients = gradients_of(35, 30);
    for (Vector& g : gradients)
      for (double& x : g) x = storage_cast<double>(storage_cast<bfloat16>(x));
    FlatModel<Mixed> model;
    model.add_shaped<bfloat16>("w", {5, 7}, start);
    Optimizer optimizer(model.parameters(), optim::SplitMaster{rule});
    for (const Vector& g : gradients) optimizer.step(model.gradients(g, 256.0));
    const Vector exact = run(rule, {5, 7}, start, gradients);
    const auto actual = model.store().read(0);
    // Each of 30 steps rounds some 20 times, of a step no longer than the largest weight.
    for (std::size_t i = 0; i < exact.size(); ++i)
      EXPECT_NEAR(actual[i], exact[i], 30 * 20 * 0x1p-24);
  };
  check(optim::LAMB{.learning_rate = 0.02});
  check(optim::Adafactor{.learning_rate = 0.05});
}

TEST(TensorRules, RefuseSettingsThatCannotWork) {
  FlatModel<Double> model;
  model.add<double>("w", {1.0});
  EXPECT_THROW(Optimizer(model.parameters(), optim::LAMB{.beta2 = 1.0}), UsageError);
  EXPECT_THROW(Optimizer(model.parameters(), optim::Adafactor{.beta2_decay = 0.5}), UsageError);
  EXPECT_THROW(Optimizer(model.parameters(), optim::Adafactor{.clip = 0.0}), UsageError);
}

}  // namespace
}  // namespace halfstep::test
