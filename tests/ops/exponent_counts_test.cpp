#include <halfstep/ops/exponent_counts.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace hs = halfstep;
using hs::BinaryParts;
using hs::ExponentCounts;

TEST(BinaryParts, GivesSubnormalsTheirTrueExponent) {
  for (const double x : {1.0, 1.5, 3.0, 0x1.8p-149, 0x1p-1022, 0x1.4p-1030, 0x1p-1074, 0x1.8p-1073,
                         std::numeric_limits<double>::max()}) {
    const BinaryParts parts(x);
    EXPECT_EQ(parts.exponent, std::ilogb(x)) << x;
    EXPECT_EQ(static_cast<double>(parts.fraction) * 0x1p-52 + 1.0, std::scalbn(x, -std::ilogb(x)))
        << x;
  }
}

TEST(ExponentCounts, EveryKindOfNumberHasItsPlace) {
  ExponentCounts counts;
  const double inf = std::numeric_limits<double>::infinity();
  for (const double x : {0.0, -0.0, inf, -inf, std::nan(""), 1.0, -1.99, 2.0, 0x1p-1074})
    counts.add(x, {.tiny = 0x1p-25});
  EXPECT_EQ(counts.zeros, 2);
  EXPECT_EQ(counts.infinities, 2);
  EXPECT_EQ(counts.nans, 1);
  EXPECT_EQ(counts.tiny, 1);
  EXPECT_EQ(counts.at(0), 2);
  EXPECT_EQ(counts.at(1), 1);
  EXPECT_EQ(counts.at(-1074), 1);
  EXPECT_EQ(counts.smallest, -1.99);
  EXPECT_EQ(counts.largest, 2.0);
  EXPECT_FALSE(counts.finite());
}

TEST(ExponentCounts, DividesByAnyUnitExactly) {
  ExponentCounts counts;
  // 3 / 3 = 1 exactly; the double below it is below 1, though 3 and it have one exponent.
  counts.add(3.0, {.unit = 3.0});
  counts.add(std::nextafter(3.0, 0.0), {.unit = 3.0});
  counts.add(4.0, {.unit = 3.0});
  EXPECT_EQ(counts.at(0), 2);
  EXPECT_EQ(counts.at(-1), 1);
  // The ends of the range: the smallest double by the largest float, the largest by the smallest.
  counts.add(0x1p-1074, {.unit = 0x1.FFFFFEp127});
  counts.add(std::numeric_limits<double>::max(), {.unit = 0x1p-149});
  EXPECT_EQ(counts.at(ExponentCounts::lowest), 1);
  EXPECT_EQ(counts.at(ExponentCounts::highest), 1);
}

TEST(ExponentCounts, TinyHoldsItsBound) {
  ExponentCounts counts;
  const hs::ExponentScale scale{.unit = 1024.0, .tiny = 0x1p-25};
  for (const double x : {0x1p-15, -0x1p-15, std::nextafter(0x1p-15, 1.0), 0.0, 0x1p-60})
    counts.add(x, scale);
  EXPECT_EQ(counts.tiny, 3) << "|x / unit| = 2^-25 is tiny, what is above it and zero are not";
}
