#pragma once

#include "conversion_cases.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>

// The tests that float16 and bfloat16 share; each test file instantiates them for its type.

template <class T>
class StorageType : public testing::Test {};
TYPED_TEST_SUITE_P(StorageType);

TYPED_TEST_P(StorageType, IsTwoPlainBytes) {
  using T = TypeParam;
  static_assert(sizeof(T) == 2 && alignof(T) == 2);
  static_assert(std::is_trivial_v<T> && std::is_standard_layout_v<T>);
  static_assert(!std::is_convertible_v<float, T> && !std::is_convertible_v<T, float>);
  EXPECT_EQ(T::from_bits(0x8001).bits, 0x8001);
  EXPECT_TRUE(T::from_bits(0x7FFF) == T::from_bits(0x7FFF));
  EXPECT_FALSE(T(0.0f) == T(-0.0f));
}

TYPED_TEST_P(StorageType, WidensEveryPatternExactly) {
  using T = TypeParam;
  for (const bool flush : {false, true}) {
    const FlushToZero scope(flush);
    for (std::uint32_t pattern = 0; pattern < 0x10000u; ++pattern) {
      const auto bits = static_cast<std::uint16_t>(pattern);
      const std::uint32_t wide = word_of(static_cast<float>(T::from_bits(bits)));
      const double expected = [&] {
        const FlushToZero off(false);
        return value_of_fields<T>(bits);
      }();
      if (std::isnan(expected)) {
        EXPECT_GT(wide & 0x7FFFFFFFu, 0x7F800000u) << "pattern " << pattern;
        EXPECT_EQ(wide >> 31, pattern >> 15) << "pattern " << pattern;
      } else {
        // All values of both types are floats; the table is made before the mode matters.
        ASSERT_EQ(wide >> 31, pattern >> 15) << "pattern " << pattern;
        const std::uint64_t magnitude = wide & 0x7FFFFFFFu;
        const double value = magnitude < 0x00800000u
                                 ? static_cast<double>(magnitude) * 0x1p-149
                                 : static_cast<double>(float_of(wide & 0x7FFFFFFFu));
        ASSERT_EQ(value, std::abs(expected)) << "pattern " << pattern;
      }
    }
  }
}

TYPED_TEST_P(StorageType, ReturnsEveryPatternThroughFloat) {
  using T = TypeParam;
  for (const bool flush : {false, true}) {
    const FlushToZero scope(flush);
    for (std::uint32_t pattern = 0; pattern < 0x10000u; ++pattern) {
      const T value = T::from_bits(static_cast<std::uint16_t>(pattern));
      const std::uint16_t back = T(static_cast<float>(value)).bits;
      const bool nan = std::isnan(value_of_fields<T>(value.bits));
      // A signalling NaN comes back quiet, with the rest of its payload.
      const std::uint16_t quiet = std::is_same_v<T, halfstep::float16> ? 0x200 : 0x40;
      ASSERT_EQ(back, nan ? (value.bits | quiet) : value.bits) << "pattern " << pattern;
    }
  }
}

TYPED_TEST_P(StorageType, RoundsToNearestEvenWithAndWithoutFlushToZero) {
  using T = TypeParam;
  for (const float x : floats_that_matter<T>()) {
    const double expected = rounded_value<T>(static_cast<double>(x));
    for (const bool flush : {false, true}) {
      const std::uint16_t bits = [&] {
        const FlushToZero scope(flush);
        return T(x).bits;
      }();
      const double value = value_of_fields<T>(bits);
      ASSERT_EQ(bits >> 15, static_cast<int>(word_of(x) >> 31)) << std::hexfloat << x;
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(value)) << std::hex << word_of(x);
      } else {
        ASSERT_EQ(value, expected) << std::hexfloat << x << (flush ? " flushing" : "");
      }
    }
  }
}

TYPED_TEST_P(StorageType, RoundsMidpointsToEven) {
  using T = TypeParam;
  using traits = halfstep::numeric_traits<T>;
  const float u = static_cast<float>(traits::unit_roundoff);
  EXPECT_EQ(T(1.0f + u), T(1.0f));
  EXPECT_EQ(T(1.0f + 3 * u), T(1.0f + 4 * u));
  EXPECT_EQ(T(std::nextafterf(1.0f + u, 2.0f)), T(1.0f + 2 * u));
}

TYPED_TEST_P(StorageType, OverflowsToInfinityHalfAnUlpBeyondTheLargest) {
  using T = TypeParam;
  using traits = halfstep::numeric_traits<T>;
  const double half_ulp = traits::max * traits::unit_roundoff / (2 - 2 * traits::unit_roundoff);
  const float limit = static_cast<float>(traits::max + half_ulp);
  ASSERT_TRUE(std::isfinite(limit));
  EXPECT_TRUE(std::isinf(value_of_fields<T>(T(limit).bits)));
  EXPECT_TRUE(std::isinf(value_of_fields<T>(T(-limit).bits)));
  EXPECT_EQ(value_of_fields<T>(T(std::nextafterf(limit, 0.0f)).bits), traits::max);
}

TYPED_TEST_P(StorageType, KeepsNanThatRoundingWouldLose) {
  using T = TypeParam;
  for (const std::uint32_t word : {0x7F800001u, 0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu}) {
    const T value(float_of(word));
    EXPECT_TRUE(std::isnan(value_of_fields<T>(value.bits))) << std::hex << word;
    EXPECT_EQ(value.bits >> 15, static_cast<int>(word >> 31));
  }
}

TYPED_TEST_P(StorageType, ConvertsInConstantExpressions) {
  using T = TypeParam;
  static_assert(static_cast<float>(T(1.5f)) == 1.5f);
  static_assert(static_cast<float>(T(-0x1p-24f)) == -0x1p-24f);
  static_assert(T(0.0f) == T::from_bits(0));
}

REGISTER_TYPED_TEST_SUITE_P(StorageType, IsTwoPlainBytes, WidensEveryPatternExactly,
                            ReturnsEveryPatternThroughFloat,
                            RoundsToNearestEvenWithAndWithoutFlushToZero, RoundsMidpointsToEven,
                            OverflowsToInfinityHalfAnUlpBeyondTheLargest,
                            KeepsNanThatRoundingWouldLose, ConvertsInConstantExpressions);
