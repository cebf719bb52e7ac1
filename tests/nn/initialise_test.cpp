#include <halfstep/nn/initialise.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace halfstep;

const Shape weight{200, 300};

std::vector<float> drawn(const Initialiser& initialiser, std::uint64_t seed = 5) {
  std::vector<float> values(static_cast<std::size_t>(weight.size()));
  initialiser(values, weight, seed);
  return values;
}
struct Moments {
  double mean = 0.0;
  double variance = 0.0;
  double largest = 0.0;
};
Moments moments(const std::vector<float>& values) {
  Moments m;
  for (const float v : values)
    m.mean += static_cast<double>(v) / static_cast<double>(values.size());
  for (const float v : values) {
    const double d = static_cast<double>(v) - m.mean;
    m.variance += d * d / static_cast<double>(values.size());
    m.largest = std::max(m.largest, std::fabs(static_cast<double>(v)));
  }
  return m;
}
/// Mean within five deviations of zero, variance within five of its own (kurtosis 3 at most).
void expect_variance(const Initialiser& initialiser, double variance) {
  const Moments m = moments(drawn(initialiser));
  const auto n = static_cast<double>(weight.size());
  EXPECT_NEAR(m.mean, 0.0, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(m.variance, variance, 5 * variance * std::sqrt(2.0 / n));
}

TEST(Initialiser, OfHeHasVarianceTwoOverFanIn) {
  expect_variance(nn::he_normal(), 2.0 / 300);
  expect_variance(nn::he_uniform(), 2.0 / 300);
  EXPECT_LE(moments(drawn(nn::he_uniform())).largest, std::sqrt(6.0 / 300) * (1 + 0x1p-23));
}

TEST(Initialiser, OfXavierHasVarianceTwoOverFanInAndFanOut) {
  expect_variance(nn::xavier_normal(), 2.0 / 500);
  expect_variance(nn::xavier_uniform(), 2.0 / 500);
}

TEST(Initialiser, OfNormalAndUniformNumbersHasTheirVariance) {
  expect_variance(nn::normal(0.02), 0.0004);
  expect_variance(nn::uniform(0.3), 0.03);
}

TEST(Initialiser, OfAConstantIsThatConstant) {
  for (const float v : drawn(nn::constant(1.5f))) ASSERT_EQ(v, 1.5f);
}

TEST(Initialiser, DependsOnTheSeedAlone) {
  EXPECT_EQ(drawn(nn::he_normal(), 1), drawn(nn::he_normal(), 1));
  EXPECT_NE(drawn(nn::he_normal(), 1), drawn(nn::he_normal(), 2));
}

TEST(FanIn, CountsTheInputsOfAnOutput) {
  EXPECT_EQ(nn::fan_in({8, 3, 5, 5}), 75);
  EXPECT_EQ(nn::fan_out({8, 3, 5, 5}), 200);
  EXPECT_EQ(nn::fan_in({7}), 7);
}

}  // namespace
