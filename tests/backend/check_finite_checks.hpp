#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <limits>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's check for inf and NaN must do.
namespace check_finite_checks {

namespace hs = halfstep;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

/// What a read of these numbers adds to a check.
template <class B, class T>
hs::FiniteCheck checked(const std::vector<T>& x, const hs::FiniteCheck& before = {}) {
  const auto there = on_device<B>(x);
  auto check = on_device<B>(std::vector<hs::FiniteCheck>{before});
  B::check_finite(there.size(), there.data(), check.data());
  return on_host<B>(check)[0];
}

template <class Case>
class CheckFinite : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(CheckFinite);

TYPED_TEST_P(CheckFinite, SumsSquaresWithinABlocksRoundoff) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index n : {0, 1, 5, 1000, 2049, 300001}) {
    const auto x = numbers::normal_numbers<T>(n, 1);
    hs::FiniteCheck exact{.sum_of_squares = 2.0, .found_inf = 0};
    const hs::FiniteCheck got = checked<B>(x, {.sum_of_squares = 2.0, .found_inf = 0});
    Reference::check_finite(n, x.data(), &exact);
    // 2048 squares over at least 16 running sums, or a thread's share in double, and the
    // reference's n additions in double.
    const double u = hs::numeric_traits<hs::Compute<T>>::unit_roundoff;
    const double units = (2048.0 / 16.0 + 16.0) * u + static_cast<double>(n) * 0x1p-53;
    EXPECT_NEAR(got.sum_of_squares, exact.sum_of_squares, units * exact.sum_of_squares);
    EXPECT_EQ(got.found_inf, 0);
  }
}

TYPED_TEST_P(CheckFinite, FindsInfAndNanAnywhere) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const float bad : {std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), std::nanf("")})
    for (const std::size_t at : {0u, 7u, 2047u, 2048u, 99999u, 100000u})
      for (const float others : {0.0f, 1.0f, 60000.0f}) {
        std::vector<T> x(100001, hs::storage_cast<T>(others));
        x[at] = hs::storage_cast<T>(bad);
        EXPECT_EQ(checked<B>(x).found_inf, 1) << bad << " at " << at << " among " << others;
      }
}

TYPED_TEST_P(CheckFinite, TakesSquaresBeyondFloatsRange) {
  using B = typename TypeParam::Backend;
  if constexpr (std::is_same_v<typename TypeParam::Storage, float>) {
    for (const float value : {1e-30f, 3e38f}) {
      const std::vector<float> x(5000, value);
      const hs::FiniteCheck check = checked<B>(x);
      const double exact = 5000.0 * static_cast<double>(value) * static_cast<double>(value);
      EXPECT_NEAR(check.sum_of_squares, exact, 1e-12 * exact);
      EXPECT_EQ(check.found_inf, 0);
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(CheckFinite, SumsSquaresWithinABlocksRoundoff, FindsInfAndNanAnywhere,
                            TakesSquaresBeyondFloatsRange);

}  // namespace check_finite_checks
