#include <halfstep/core/random.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hs = halfstep;

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, GivesTheKnownAnswers) {
  constexpr hs::PhiloxBlock zeros = hs::Philox(0)(hs::PhiloxBlock{{0, 0, 0, 0}});
  EXPECT_EQ(zeros, (hs::PhiloxBlock{{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}}));
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(hs::Philox(ones)(hs::Philox::counter(ones, ones)),
            (hs::PhiloxBlock{{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}}));
  EXPECT_EQ(hs::Philox(0x299f31d0a4093822u)(
                hs::PhiloxBlock{{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}),
            (hs::PhiloxBlock{{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}}));
}

TEST(Uniform01, StaysBelowOneAndCoversTheInterval) {
  EXPECT_EQ(hs::uniform01(0), 0.0f);
  EXPECT_EQ(hs::uniform01(0x80000000u), 0.5f);
  EXPECT_EQ(hs::uniform01(0xFFFFFFFFu), 1.0f - 0x1p-24f);
}

TEST(NormalPair, IsFiniteAtTheEndsOfTheWords) {
  for (const std::uint32_t a : {0u, 0xFFFFFFFFu}) {
    for (const std::uint32_t b : {0u, 0xFFFFFFFFu}) {
      const hs::NormalPair pair = hs::normal_pair(a, b);
      EXPECT_TRUE(std::isfinite(pair.first) && std::isfinite(pair.second)) << a << ' ' << b;
    }
  }
}

TEST(RandomStream, NormalHasTheMomentsOfTheNormalDistribution) {
  hs::RandomStream random(42);
  const int n = 1 << 18;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double x = static_cast<double>(random.normal());
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  // Five standard deviations of each mean: variances 1, 2 and 96.
  EXPECT_NEAR(sum / n, 0.0, 5 * std::sqrt(1.0 / n));
  EXPECT_NEAR(squares / n, 1.0, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth / n, 3.0, 5 * std::sqrt(96.0 / n));
}

TEST(RandomStream, ReadsPhiloxInOrderAndRepeats) {
  hs::RandomStream first(5, 9), again(5, 9), other(5, 10);
  const hs::Philox philox(5);
  int different = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::uint32_t word = first();
    EXPECT_EQ(word, philox(hs::Philox::counter(i / 4, 9))[static_cast<int>(i % 4)]);
    EXPECT_EQ(word, again());
    different += word != other() ? 1 : 0;
  }
  EXPECT_GT(different, 90);
}

TEST(RandomStream, BelowIsInRangeAndEven) {
  hs::RandomStream random(1);
  std::vector<int> counts(7);
  const int n = 70000;
  for (int i = 0; i < n; ++i) ++counts.at(static_cast<std::size_t>(random.below(7)));
  const double deviation = std::sqrt(n * (1.0 / 7) * (6.0 / 7));
  for (const int count : counts) EXPECT_NEAR(count, n / 7.0, 5 * deviation);
  EXPECT_EQ(random.below(1), 0u);
  const std::uint64_t large = (std::uint64_t{1} << 63) + 1;
  for (int i = 0; i < 100; ++i) EXPECT_LT(random.below(large), large);
}
