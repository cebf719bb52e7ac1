#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <map>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's count of exponents must do.
namespace count_exponents_checks {

namespace hs = halfstep;
using hs::ExponentCounts;
using hs::ExponentScale;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

/// Counts as a reader would: the library's own functions stand nowhere in it.
struct BruteForce {
  std::map<int, std::int64_t> exponents;
  std::int64_t zeros = 0;
  std::int64_t infinities = 0;
  std::int64_t nans = 0;
  std::int64_t tiny = 0;
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();

  void add(double x, double unit, double bound) {
    if (std::isnan(x)) {
      ++nans;
    } else if (std::isinf(x)) {
      ++infinities;
    } else {
      smallest = std::min(smallest, x);
      largest = std::max(largest, x);
      if (x == 0.0) {
        ++zeros;
        return;
      }
      // x / unit may round up to a power of two, and long doubles have the bits to see that.
      const long double quotient = static_cast<long double>(std::fabs(x)) / unit;
      int exponent = std::ilogb(quotient);
      if (std::scalbn(static_cast<long double>(unit), exponent) > std::fabs(x)) --exponent;
      ++exponents[exponent];
      if (quotient <= bound) ++tiny;
    }
  }
};

inline void expect_equal(const ExponentCounts& counts, const BruteForce& brute) {
  EXPECT_EQ(counts.zeros, brute.zeros);
  EXPECT_EQ(counts.infinities, brute.infinities);
  EXPECT_EQ(counts.nans, brute.nans);
  EXPECT_EQ(counts.tiny, brute.tiny);
  EXPECT_EQ(counts.smallest, brute.smallest);
  EXPECT_EQ(counts.largest, brute.largest);
  std::map<int, std::int64_t> exponents;
  for (int e = ExponentCounts::lowest; e <= ExponentCounts::highest; ++e)
    if (counts.at(e) != 0) exponents[e] = counts.at(e);
  EXPECT_EQ(exponents, brute.exponents);
}

inline constexpr ExponentScale scales[] = {
    {}, {65536.0, 0x1p-25}, {3.0, 0x1p-25}, {0x1.FFFFFEp-3, 0x1p-3}, {0x1.000002p20, 0x1p-25}};

/// What a read of these numbers adds to counts.
template <class B, class T>
ExponentCounts counted(const std::vector<T>& x, const ExponentScale& scale,
                       const ExponentCounts& before = {}) {
  const auto there = on_device<B>(x);
  auto counts = on_device<B>(std::vector<ExponentCounts>{before});
  B::count_exponents(there.size(), there.data(), scale, counts.data());
  return on_host<B>(counts)[0];
}

template <class B, class T>
void expect_exact_counts(const std::vector<T>& x, const ExponentScale& scale) {
  SCOPED_TRACE(testing::Message() << x.size() << " numbers, unit " << scale.unit);
  BruteForce brute;
  for (const T value : x) brute.add(hs::storage_cast<double>(value), scale.unit, scale.tiny);
  expect_equal(counted<B>(x, scale), brute);
}

template <class Case>
class CountExponents
    : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(CountExponents);

TYPED_TEST_P(CountExponents, IsExactForNumbersOfEverySize) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  std::mt19937 generator(1);
  const double least = std::log2(hs::numeric_traits<T>::min_subnormal);
  const double most = std::log2(hs::numeric_traits<T>::max);
  std::uniform_real_distribution<double> exponent(least - 1.0, most);
  for (const Index n : {0, 1, 15, 1024, 1025, 70001}) {
    std::vector<T> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = hs::storage_cast<T>(
          i % 5 == 0 ? 0.0 : (i % 2 == 0 ? -1.0 : 1.0) * std::exp2(exponent(generator)));
    for (const ExponentScale& scale : scales) expect_exact_counts<B>(x, scale);
  }
}

TYPED_TEST_P(CountExponents, IsExactForGradientsAndActivations) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  auto x = numbers::normal_numbers<T>(200003, 1);  // regular blocks: the quick way
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = T{};
  for (const ExponentScale& scale : scales) expect_exact_counts<B>(x, scale);
  for (const float bad : {INFINITY, -INFINITY, NAN})
    for (const std::size_t at : {std::size_t{0}, std::size_t{1023}, x.size() - 1}) {
      auto spoilt = x;
      spoilt[at] = hs::storage_cast<T>(bad);
      expect_exact_counts<B>(spoilt, {});
    }
}

TYPED_TEST_P(CountExponents, AddsToWhatWasCounted) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  std::vector<T> x;
  for (const float value : {1.0f, 0.0f, -4.0f}) x.push_back(hs::storage_cast<T>(value));
  const ExponentCounts counts = counted<B>(x, {}, counted<B>(x, {}));
  EXPECT_EQ(counts.at(0), 2);
  EXPECT_EQ(counts.at(2), 2);
  EXPECT_EQ(counts.zeros, 2);
}

TYPED_TEST_P(CountExponents, IsExactForEveryPatternOf16Bits) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  if constexpr (hs::numeric_traits<T>::is_16_bit) {
    std::vector<T> x;
    for (std::uint32_t bits = 0; bits < 0x10000u; ++bits)
      x.push_back(T::from_bits(static_cast<std::uint16_t>(bits)));
    for (const ExponentScale& scale : scales) expect_exact_counts<B>(x, scale);
  }
}

REGISTER_TYPED_TEST_SUITE_P(CountExponents, IsExactForNumbersOfEverySize,
                            IsExactForGradientsAndActivations, AddsToWhatWasCounted,
                            IsExactForEveryPatternOf16Bits);

}  // namespace count_exponents_checks
