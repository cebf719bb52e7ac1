#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/check_gradients.hpp>
#include <halfstep/autograd/custom.hpp>

#include "support/samples.hpp"

#include <gtest/gtest.h>

namespace hs = halfstep;
using Exact = hs::Variable<double, hs::backend::Reference>;
using hs::test::sample;

namespace {

TEST(CheckGradients, PassesWhatIsRight) {
  const hs::GradientReport report =
      hs::check_gradients([](const Exact& a, const Exact& b) { return a * b; },
                          sample<double>({3}, 1), sample<double>({3}, 2));
  EXPECT_TRUE(report) << report.message;
  EXPECT_GT(report.worst, 0.0);
}

TEST(CheckGradients, NamesTheWorstElementOfWhatIsWrong) {
  const auto wrong = [](const Exact& a, const Exact& b) {
    return hs::custom(
        "wrong", [](const Exact& x, const Exact& y) { return x * y; },
        [](const Exact& g, const Exact& x, const Exact& y) {
          hs::Tensor<double> slope(x.shape());
          for (hs::Index i = 0; i < 3; ++i)
            slope.data()[i] = g.value().data()[i] * x.value().data()[i] * (i == 2 ? 1.1 : 1.0);
          return std::tuple(g * y, Exact(slope));
        },
        a, b);
  };
  const hs::GradientReport report =
      hs::check_gradients(wrong, sample<double>({3}, 1, 1, 2), sample<double>({3}, 2, 1, 2));
  EXPECT_FALSE(report);
  EXPECT_NE(report.message.find("element 2 of input 1 [3]"), std::string::npos) << report.message;
}

TEST(CheckGradients, AMissingGradientIsWrong) {
  const auto stops = [](const Exact& a) {
    return a + hs::custom(
                   "stop", [](const Exact& x) { return x * 2.0; },
                   [](const Exact&, const Exact&) { return Exact(); }, a);
  };
  EXPECT_FALSE(hs::check_gradients(stops, sample<double>({3}, 1)));
}

TEST(CheckGradients, TakesSettings) {
  const auto cube = [](const Exact& a) { return a * a * a; };
  EXPECT_FALSE(hs::check_gradients({.tolerance = 1e-16}, cube, sample<double>({30}, 1)));
  EXPECT_FALSE(hs::check_gradients({.step = 0.1}, cube, sample<double>({3}, 1)));
}

TEST(CheckGradients, ANaNFails) {
  const auto bad = [](const Exact& a) { return a / (a - a); };
  EXPECT_FALSE(hs::check_gradients(bad, sample<double>({2}, 1)));
}

}  // namespace
