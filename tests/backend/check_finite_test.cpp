#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <limits>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace {

template <class T>
class CheckFinite : public testing::Test {};
TYPED_TEST_SUITE(CheckFinite, numbers::StorageTypes);

}  // namespace

TYPED_TEST(CheckFinite, SumsSquaresWithinABlocksRoundoff) {
  using T = TypeParam;
  for (const Index n : {0, 1, 5, 1000, 2049, 300001}) {
    const auto x = numbers::normal_numbers<T>(n, 1);
    hs::FiniteCheck got{.sum_of_squares = 2.0, .found_inf = 0};
    hs::FiniteCheck exact{.sum_of_squares = 2.0, .found_inf = 0};
    CpuLoops::check_finite(n, x.data(), &got);
    Reference::check_finite(n, x.data(), &exact);
    // 2048 squares over at least 16 running sums, and the reference's n additions in double.
    const double u = hs::numeric_traits<hs::Compute<T>>::unit_roundoff;
    const double units = (2048.0 / 16.0 + 16.0) * u + static_cast<double>(n) * 0x1p-53;
    EXPECT_NEAR(got.sum_of_squares, exact.sum_of_squares, units * exact.sum_of_squares);
    EXPECT_EQ(got.found_inf, 0);
  }
}

TYPED_TEST(CheckFinite, FindsInfAndNanAnywhere) {
  using T = TypeParam;
  for (const float bad : {std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), std::nanf("")})
    for (const std::size_t at : {0u, 7u, 2047u, 2048u, 99999u, 100000u})
      for (const float others : {0.0f, 1.0f, 60000.0f}) {
        std::vector<T> x(100001, hs::storage_cast<T>(others));
        x[at] = hs::storage_cast<T>(bad);
        hs::FiniteCheck check;
        CpuLoops::check_finite(100001, x.data(), &check);
        EXPECT_EQ(check.found_inf, 1) << bad << " at " << at << " among " << others;
      }
}

TYPED_TEST(CheckFinite, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto x = numbers::normal_numbers<T>(1000003, 1);
  numbers::expect_same_bits_for_any_threads([&] {
    hs::FiniteCheck check;
    CpuLoops::check_finite(1000003, x.data(), &check);
    return std::vector<double>{check.sum_of_squares};
  });
}

TEST(CheckFiniteFloats, SquaresBeyondFloatsRangeAreFinite) {
  for (const float value : {1e-30f, 3e38f}) {
    const std::vector<float> x(5000, value);
    hs::FiniteCheck check;
    CpuLoops::check_finite(5000, x.data(), &check);
    const double exact = 5000.0 * static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(check.sum_of_squares, exact, 1e-12 * exact);
    EXPECT_EQ(check.found_inf, 0);
  }
}
