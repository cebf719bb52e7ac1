#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/dropout.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::DropoutKey;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

hs::Tensor<double> ones(hs::Index n) {
  hs::Tensor<double> x({n});
  for (double& element : x.span()) element = 1.0;
  return x;
}

TEST(Dropout, Gradients) {
  expect_gradients([](const Exact& x) { return hs::dropout(x, 0.3, {.seed = 7}); },
                   sample<double>({130}, 1));
}

TEST(Dropout, BackwardDrawsTheSameMask) {
  const Exact x = Exact::leaf(ones(1000));
  const Exact y = hs::dropout(x, 0.25, {.seed = 3, .draw = 2});
  propagate_ones(y);
  EXPECT_EQ(to_doubles(x.gradient()), to_doubles(y.value()));
}

TEST(Dropout, ZeroesTheFractionThatItSaysAndKeepsTheMean) {
  const double p = 0.4;
  const hs::Index n = 100000;
  const auto y = to_doubles(hs::dropout(Exact(ones(n)), p, {.seed = 5}).value());
  double dropped = 0;
  for (const double v : y) {
    dropped += v == 0.0;
    EXPECT_TRUE(v == 0.0 || v == 1.0 / (1.0 - p));
  }
  // Five standard deviations of a binomial count.
  EXPECT_NEAR(dropped, p * n, 5 * std::sqrt(p * (1 - p) * n));
}

TEST(Dropout, SeedsDrawsAndStepsDiffer) {
  const Exact x = ones(200);
  std::int64_t step = 1;
  const auto mask = [&](const DropoutKey& key) {
    return to_doubles(hs::dropout(x, 0.5, key).value());
  };
  const auto first = mask({.seed = 1});
  EXPECT_EQ(first, mask({.seed = 1}));
  EXPECT_NE(first, mask({.seed = 2}));
  EXPECT_NE(first, mask({.seed = 1, .draw = 1}));
  EXPECT_NE(first, mask({.seed = 1, .step = &step}));
  step = 0;
  EXPECT_EQ(first, mask({.seed = 1, .step = &step}));
}

TEST(Dropout, OfNothingIsTheVariableItself) {
  const Exact x = Exact::leaf(ones(3));
  EXPECT_EQ(hs::dropout(x, 0.0, {}).slot().get(), x.slot().get());
  EXPECT_THROW(hs::dropout(x, 1.0, {}), hs::UsageError);
  EXPECT_THROW(hs::dropout(x, -0.1, {}), hs::UsageError);
}

}  // namespace
