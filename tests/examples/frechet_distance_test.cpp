// The program's own unit: no other program has it.
#include <app/dcgan/frechet_distance.cpp>

#include <halfstep/core/random.hpp>

#include <gtest/gtest.h>

#include <array>

namespace halfstep::test {
namespace {

const std::vector<float> no_opinion(10, 0.0f);

TEST(ImageStatistics, ScoreIsTheNumberOfClassesWhereEachIsCertainAndAsFrequent) {
  app::ImageStatistics various(1, 10), alike(1, 10), unsure(1, 10);
  const std::vector<float> feature{0.0f};
  for (std::size_t k = 0; k < 10; ++k) {
    std::vector<float> logits(10, 0.0f);
    logits[k] = 60.0f;
    various.add(feature, logits);
    logits.assign(10, 0.0f);
    logits[3] = 60.0f;
    alike.add(feature, logits);
    unsure.add(feature, no_opinion);
  }
  // The other classes have a share of e^-60 each; the rest is rounding of doubles.
  EXPECT_NEAR(various.inception_score(), 10.0, 1e-12);
  EXPECT_NEAR(alike.inception_score(), 1.0, 1e-12);
  EXPECT_NEAR(unsure.inception_score(), 1.0, 1e-12);
}

#if __has_include(<Eigen/Eigenvalues>)

/// Points whose two features are (a, b) times two normal numbers; a third one is always 0.
app::ImageStatistics points(std::uint64_t seed, std::array<double, 4> turn, float shift) {
  RandomStream random(seed);
  app::ImageStatistics statistics(3, 10);
  for (int i = 0; i < 200; ++i) {
    const auto x = static_cast<double>(random.normal()), y = static_cast<double>(random.normal());
    const std::vector<float> features{static_cast<float>(turn[0] * x + turn[1] * y) + shift,
                                      static_cast<float>(turn[2] * x + turn[3] * y), 0.0f};
    statistics.add(features, no_opinion);
  }
  return statistics;
}

TEST(FrechetDistance, IsWhatTwoByTwoCovariancesGiveInClosedForm) {
  const auto a = points(1, {1.0, 0.5, -0.3, 2.0}, 0.0f), b = points(2, {0.7, -1.5, 1.2, 0.4}, 3.0f);
  // Tr (C1 C2)^(1/2) = sqrt(Tr C1 C2 + 2 sqrt(det C1 C2)) for two rows and columns.
  const auto determinant = [](const auto& s) {
    return s.covariance(0, 0) * s.covariance(1, 1) - s.covariance(0, 1) * s.covariance(1, 0);
  };
  double product = 0.0, traces = 0.0, means = 0.0;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 2; ++j) product += a.covariance(i, j) * b.covariance(j, i);
    traces += a.covariance(i, i) + b.covariance(i, i);
    means += (a.mean(i) - b.mean(i)) * (a.mean(i) - b.mean(i));
  }
  const double root = std::sqrt(product + 2.0 * std::sqrt(determinant(a) * determinant(b)));
  const double expected = means + traces - 2.0 * root;
  EXPECT_GT(expected, 1.0);
  // The roots of numbers of size 1 that eigenvalues give with an error of some 1e-15; the feature
  // that is 0 adds the root of such an error.
  EXPECT_NEAR(app::frechet_distance(a, b), expected, 1e-6);
  EXPECT_NEAR(app::frechet_distance(b, a), expected, 1e-6);
  EXPECT_NEAR(app::frechet_distance(a, a), 0.0, 1e-6);
}

#endif

}  // namespace
}  // namespace halfstep::test
