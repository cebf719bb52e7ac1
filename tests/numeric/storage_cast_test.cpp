#include <halfstep/numeric/storage_cast.hpp>

#include "conversion_cases.hpp"

#include <gtest/gtest.h>

namespace hs = halfstep;

template <class T>
void expect_one_rounding() {
  for (const float near : floats_that_matter<T>()) {
    if (std::isnan(near)) continue;
    const double x = static_cast<double>(near);
    for (const double y : {x, std::nextafter(x, 1e300), std::nextafter(x, -1e300)}) {
      const double value = value_of_fields<T>(hs::storage_cast<T>(y).bits);
      ASSERT_EQ(value, rounded_value<T>(y)) << std::hexfloat << y;
    }
  }
}

TEST(StorageCast, RoundsADoubleOnceToFloat16) { expect_one_rounding<hs::float16>(); }
TEST(StorageCast, RoundsADoubleOnceToBfloat16) { expect_one_rounding<hs::bfloat16>(); }

TEST(StorageCast, WouldBeWrongThroughTheNearestFloat) {
  const double just_above_a_midpoint = 1.0 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(hs::storage_cast<hs::float16>(just_above_a_midpoint).bits, 0x3C01);
  EXPECT_EQ(hs::float16(static_cast<float>(just_above_a_midpoint)).bits, 0x3C00);
}

TEST(StorageCast, TakesTheExtremesOfDouble) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(hs::storage_cast<hs::bfloat16>(infinity).bits, 0x7F80);
  EXPECT_EQ(hs::storage_cast<hs::bfloat16>(-1e300).bits, 0xFF80);
  EXPECT_EQ(hs::storage_cast<hs::bfloat16>(-1e-300).bits, 0x8000);
  EXPECT_EQ(hs::storage_cast<hs::bfloat16>(std::numeric_limits<double>::quiet_NaN()).bits, 0x7FC0);
  EXPECT_EQ(
      hs::storage_cast<hs::float16>(std::numeric_limits<double>::signaling_NaN()).bits & 0x7E00,
      0x7E00);
}

TEST(StorageCast, PassesBetweenAllTypes) {
  EXPECT_EQ(hs::storage_cast<hs::float16>(hs::bfloat16(3.0f)), hs::float16(3.0f));
  EXPECT_EQ(hs::storage_cast<hs::bfloat16>(hs::float16(3.0f)), hs::bfloat16(3.0f));
  EXPECT_EQ(hs::storage_cast<double>(hs::float16(0.5f)), 0.5);
  EXPECT_EQ(hs::storage_cast<float>(0.5), 0.5f);
  EXPECT_EQ(hs::to_float(hs::bfloat16(-7.0f)), -7.0f);
}
