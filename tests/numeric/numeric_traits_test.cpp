#include <halfstep/numeric/numeric_traits.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hs = halfstep;

template <class T>
void expect_extremes(int exponent_of_largest_bit, int smallest_normal_exponent) {
  using traits = hs::numeric_traits<T>;
  EXPECT_EQ(traits::unit_roundoff, std::ldexp(1.0, -traits::digits));
  EXPECT_EQ(traits::max,
            (2.0 - 2 * traits::unit_roundoff) * std::ldexp(1.0, exponent_of_largest_bit));
  EXPECT_EQ(traits::min_normal, std::ldexp(1.0, smallest_normal_exponent));
  EXPECT_EQ(traits::min_subnormal, traits::min_normal * 2 * traits::unit_roundoff);
  EXPECT_EQ(traits::is_16_bit, sizeof(T) == 2);
}

TEST(NumericTraits, FollowFromTheWidthsOfTheFields) {
  expect_extremes<hs::float16>(15, -14);
  expect_extremes<hs::bfloat16>(127, -126);
  expect_extremes<float>(127, -126);
  expect_extremes<double>(1023, -1022);
}

TEST(NumericTraits, ExtremesAreTheEndsOfTheConversions) {
  EXPECT_EQ(static_cast<double>(static_cast<float>(hs::float16::from_bits(0x7BFF))),
            hs::numeric_traits<hs::float16>::max);
  EXPECT_EQ(static_cast<double>(static_cast<float>(hs::bfloat16::from_bits(0x7F7F))),
            hs::numeric_traits<hs::bfloat16>::max);
  EXPECT_EQ(hs::numeric_traits<float>::max, std::numeric_limits<float>::max());
  EXPECT_EQ(hs::numeric_traits<double>::min_subnormal, std::numeric_limits<double>::denorm_min());
}

TEST(NumericTraits, NamesAndComputeTypes) {
  EXPECT_EQ(hs::numeric_traits<hs::float16>::name, "float16");
  EXPECT_EQ(hs::numeric_traits<hs::bfloat16>::name, "bfloat16");
  static_assert(std::is_same_v<hs::Compute<hs::float16>, float>);
  static_assert(std::is_same_v<hs::Compute<double>, double>);
  static_assert(hs::Storage<hs::bfloat16> && !hs::Storage<int>);
}
