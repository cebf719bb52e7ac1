#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <limits>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's softmax and cross entropy must do.
namespace rows_checks {

namespace hs = halfstep;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

inline constexpr std::pair<Index, Index> sizes[] = {{1, 1}, {3, 2}, {128, 10}, {5, 33}, {2, 3001}};

// In units of the compute type's roundoff: exp and log are within 4 each, a sum of n exps within
// 64 + n / 256 additions, x - max is off by one rounding of at most `spread`, which exp multiplies.
template <class T>
double error_units(Index n, double spread) {
  return hs::numeric_traits<hs::Compute<T>>::unit_roundoff *
         (spread + 80.0 + static_cast<double>(n) / 256.0);
}

template <class T>
double spread_of(const std::vector<T>& x) {
  double largest = 0.0;
  for (const double value : numbers::as_double(x, true)) largest = std::max(largest, value);
  return 2.0 * largest;
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<double>& exact,
                 const std::vector<double>& absolute_error) {
  const double u_out = hs::numeric_traits<T>::unit_roundoff;
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::fabs(hs::storage_cast<double>(got[i]) - exact[i]),
              u_out * std::fabs(exact[i]) + (1 + u_out) * absolute_error[i] +
                  hs::numeric_traits<T>::min_subnormal)
        << i << " of " << got.size();
}

template <class Case>
class Rows : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Rows);

TYPED_TEST_P(Rows, SoftmaxAndItsLogarithmAreWithinTheirBounds) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const auto& size : sizes)
    for (const bool logarithm : {false, true}) {
      const Index rows = size.first, n = size.second;
      const auto x = numbers::normal_numbers<T>(rows * n, 1);
      const auto there = on_device<B>(x);
      hs::TensorOf<T, B> y(there.shape());
      std::vector<double> exact(x.size());
      B::softmax(rows, n, logarithm, there.data(), y.data());
      const auto got = on_host<B>(y);
      Reference::softmax(rows, n, logarithm, x.data(), exact.data());
      std::vector<double> error(x.size(), error_units<T>(n, spread_of(x)));
      for (std::size_t i = 0; i < error.size(); ++i)
        error[i] *= logarithm ? 1.0 + std::fabs(exact[i]) : exact[i];
      expect_near(got, exact, error);
    }
}

TYPED_TEST_P(Rows, SoftmaxBackwardIsWithinItsBound) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const auto& size : sizes)
    for (const bool logarithm : {false, true})
      for (const bool accumulate : {false, true}) {
        const Index rows = size.first, n = size.second;
        const auto x = numbers::normal_numbers<T>(rows * n, 1);
        const auto upstream = numbers::normal_numbers<T>(rows * n, 2);
        std::vector<T> y(x.size());
        Reference::softmax(rows, n, logarithm, x.data(), y.data());
        const auto start = numbers::normal_numbers<T>(rows * n, 3);
        auto exact = numbers::as_double(start);
        const auto before = numbers::as_double(start, true);
        const auto there_y = on_device<B>(y), there_upstream = on_device<B>(upstream);
        auto gradient = on_device<B>(start);
        B::softmax_backward(rows, n, logarithm, there_y.data(), there_upstream.data(),
                            gradient.data(), accumulate);
        const auto got = on_host<B>(gradient);
        Reference::softmax_backward(rows, n, logarithm, numbers::as_double(y).data(),
                                    numbers::as_double(upstream).data(), exact.data(), accumulate);
        std::vector<double> error(x.size());
        for (std::size_t i = 0; i < error.size(); ++i) {
          // |sum| <= sum |u| (y <= 1), and what it is multiplied by is at most 1.
          double total = 0.0;
          const std::size_t row = i / static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
          for (std::size_t j = row; j < row + static_cast<std::size_t>(n); ++j)
            total += std::fabs(hs::storage_cast<double>(upstream[j])) *
                     (logarithm ? 1.0 : hs::storage_cast<double>(y[j]));
          error[i] = error_units<T>(n, 16.0) *
                     (total + std::fabs(hs::storage_cast<double>(upstream[i])) + before[i]);
        }
        expect_near(got, exact, error);
      }
}

TYPED_TEST_P(Rows, CrossEntropyAndItsGradientAreWithinTheirBounds) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  for (const auto& size : sizes)
    for (const double smoothing : {0.0, 0.1}) {
      const Index rows = size.first, n = size.second;
      const hs::CrossEntropy settings{.label_smoothing = smoothing};
      const auto x = numbers::normal_numbers<T>(rows * n, 1);
      std::vector<std::int32_t> target(static_cast<std::size_t>(rows));
      for (std::size_t i = 0; i < target.size(); ++i)
        target[i] = i == 1 ? settings.ignored_target
                           : static_cast<std::int32_t>(i * 7 % static_cast<std::size_t>(n));
      std::vector<double> exact_loss(target.size()), exact_log_sum(target.size());
      const auto there_x = on_device<B>(x);
      const auto there_target = on_device<B>(target);
      hs::TensorOf<Scalar, B> there_loss(hs::Shape{rows}), there_log_sum(hs::Shape{rows});
      B::cross_entropy(rows, n, settings, there_x.data(), there_target.data(), there_loss.data(),
                       there_log_sum.data());
      const auto loss = on_host<B>(there_loss), log_sum = on_host<B>(there_log_sum);
      Reference::cross_entropy(rows, n, settings, x.data(), target.data(), exact_loss.data(),
                               exact_log_sum.data());
      const double units = error_units<T>(n, spread_of(x));
      std::vector<double> error(loss.size());
      for (std::size_t i = 0; i < error.size(); ++i)
        error[i] = units * (1.0 + spread_of(x) + std::fabs(exact_loss[i]));
      expect_near(loss, exact_loss, error);
      expect_near(log_sum, exact_log_sum, error);

      const auto factor = on_device<B>(std::vector<Scalar>{Scalar(0.125)});
      const double exact_factor = 0.125;
      const auto start = numbers::normal_numbers<T>(rows * n, 3);
      auto exact = numbers::as_double(start);
      const auto before = numbers::as_double(start, true);
      auto gradient = on_device<B>(start);
      B::cross_entropy_backward(rows, n, settings, there_x.data(), there_target.data(),
                                std::as_const(there_log_sum).data(), factor.data(), gradient.data(),
                                true);
      const auto got = on_host<B>(gradient);
      Reference::cross_entropy_backward(rows, n, settings, x.data(), target.data(),
                                        exact_log_sum.data(), &exact_factor, exact.data(), true);
      error.resize(got.size());
      for (std::size_t i = 0; i < error.size(); ++i)
        error[i] = 2.0 * units * (1.0 + spread_of(x) + before[i]);
      expect_near(got, exact, error);
    }
}

TYPED_TEST_P(Rows, MaskedEntriesGetNoProbability) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<T> x;
  for (const double value : {1.0, -infinity, 1.0, -infinity, -infinity})
    x.push_back(hs::storage_cast<T>(value));
  const auto there = on_device<B>(x);
  hs::TensorOf<T, B> y(there.shape());
  B::softmax(1, 5, false, there.data(), y.data());
  const auto got = on_host<B>(y);
  // Where exp(x - log sum) is computed, the logarithm is off by a rounding and exp by 4.
  expect_near(got, {0.5, 0.0, 0.5, 0.0, 0.0}, std::vector<double>(5, 0.5 * error_units<T>(5, 0.0)));
  for (const std::size_t masked : {1u, 3u, 4u})
    EXPECT_EQ(hs::storage_cast<double>(got[masked]), 0.0);
}

TYPED_TEST_P(Rows, NanAndInfMakeTheLossNan) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<T> x(20, hs::storage_cast<T>(1.0f));
    x[13] = hs::storage_cast<T>(bad);
    const auto there = on_device<B>(x);
    const auto target = on_device<B>(std::vector<std::int32_t>{3, 4});
    hs::TensorOf<Scalar, B> loss(hs::Shape{2}), log_sum(hs::Shape{2});
    B::cross_entropy(2, 10, {}, there.data(), target.data(), loss.data(), log_sum.data());
    const auto got = on_host<B>(loss);
    EXPECT_TRUE(std::isfinite(got[0]));
    EXPECT_TRUE(std::isnan(got[1]));
  }
}

TYPED_TEST_P(Rows, RefuseATargetThatIsNoClassWhereTheHostNextWaits) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  const auto x = on_device<B>(std::vector<T>(10));
  const auto target = on_device<B>(std::vector<std::int32_t>{10});
  hs::TensorOf<Scalar, B> loss(hs::Shape{1}), log_sum(hs::Shape{1});
  const auto run = [&] {
    B::cross_entropy(1, 10, {}, x.data(), target.data(), loss.data(), log_sum.data());
    B::synchronize();
  };
  EXPECT_THROW(run(), hs::DataError);
}

REGISTER_TYPED_TEST_SUITE_P(Rows, SoftmaxAndItsLogarithmAreWithinTheirBounds,
                            SoftmaxBackwardIsWithinItsBound,
                            CrossEntropyAndItsGradientAreWithinTheirBounds,
                            MaskedEntriesGetNoProbability, NanAndInfMakeTheLossNan,
                            RefuseATargetThatIsNoClassWhereTheHostNextWaits);

}  // namespace rows_checks
