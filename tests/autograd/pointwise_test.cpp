#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/pointwise.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

const double inf = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

TEST(Pointwise, GradientsOfOneArgument) {
  const auto any = sample<double>({3, 5}, 1);
  const auto positive = sample<double>({3, 5}, 2, 0.5, 3.0);
  expect_gradients([](const Exact& x) { return exp(x); }, any);
  expect_gradients([](const Exact& x) { return log(x); }, positive);
  expect_gradients([](const Exact& x) { return sqrt(x); }, positive);
  expect_gradients([](const Exact& x) { return abs(x); }, any);
  expect_gradients([](const Exact& x) { return clamp(x, -0.7, 1.1); }, any);
  expect_gradients([](const Exact& x) { return clamp(x, 0.2); }, any);
}

TEST(Pointwise, GradientsOfPowers) {
  const auto any = sample<double>({6}, 3);
  const auto positive = sample<double>({6}, 4, 0.5, 3.0);
  expect_gradients([](const Exact& x) { return pow(x, 2.0); }, any);
  expect_gradients([](const Exact& x) { return pow(x, 3.0); }, any);
  expect_gradients([](const Exact& x) { return pow(x, -1.5); }, positive);
  expect_gradients([](const Exact& x) { return pow(x, 0.0); }, any);
  expect_gradients([](const Exact& a, const Exact& b) { return pow(a, b); }, positive, any);
}

TEST(Pointwise, PowersOfZeroHaveFiniteGradients) {
  const Exact base = Exact::leaf(values<double>({0, 0, 0}, {3}));
  const Exact exponent = Exact::leaf(values<double>({1, 2, 0}, {3}));
  propagate_ones(pow(base, exponent));
  EXPECT_EQ(to_doubles(base.gradient()), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(to_doubles(exponent.gradient()), (std::vector<double>{0, 0, 0}));
  const Exact x = Exact::leaf(values<double>({0}, {1}));
  propagate_ones(pow(x, 0.0));
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{0}));
}

TEST(Pointwise, GradientsOfMinMaxAndWhere) {
  const auto a = sample<double>({3, 4}, 5);
  const auto b = sample<double>({3, 4}, 6);
  const auto row = sample<double>({4}, 7);
  expect_gradients([](const Exact& x, const Exact& y) { return min(x, y); }, a, b);
  expect_gradients([](const Exact& x, const Exact& y) { return max(x, y); }, a, row);
  expect_gradients([](const Exact& x, const Exact& y) { return where(x > y, x * x, y); }, a, b);
  expect_gradients([](const Exact& x, const Exact& y) { return where(x < y, y, 3.0 * x); }, a, row);
}

TEST(Pointwise, EqualValuesShareTheGradientOfMax) {
  const Exact a = Exact::leaf(values<double>({1, 2, 3}, {3}));
  const Exact b = Exact::leaf(values<double>({1, 3, 2}, {3}));
  propagate_ones(max(a, b));
  EXPECT_EQ(to_doubles(a.gradient()), (std::vector<double>{0.5, 0, 1}));
  EXPECT_EQ(to_doubles(b.gradient()), (std::vector<double>{0.5, 1, 0}));
}

TEST(Pointwise, WhatIsNotChosenTakesNoGradientEvenFromInfinity) {
  const Exact x = Exact::leaf(values<double>({-1, 1}, {2}));
  const Exact condition = values<double>({0, 1}, {2});
  const Exact y = where(condition, x, Exact(values<double>({5, 5}, {2})));
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{5, 1}));
  hs::autograd::propagate(y, values<double>({inf, 2}, {2}));
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{0, 2}));
}

TEST(Pointwise, MinAndMaxKeepNaN) {
  const Exact a = values<double>({nan, 1}, {2});
  const Exact b = values<double>({1, nan}, {2});
  for (const double v : to_doubles(max(a, b).value())) EXPECT_TRUE(std::isnan(v));
  for (const double v : to_doubles(min(a, b).value())) EXPECT_TRUE(std::isnan(v));
}

TEST(Pointwise, ClampRefusesBoundsInTheWrongOrder) {
  EXPECT_THROW(clamp(Exact(sample<double>({2}, 1)), 1.0, 0.0), hs::UsageError);
}

}  // namespace
