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
class Rows : public testing::Test {};
TYPED_TEST_SUITE(Rows, numbers::StorageTypes);

constexpr std::pair<Index, Index> sizes[] = {{1, 1}, {3, 2}, {128, 10}, {5, 33}, {2, 3001}};

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

}  // namespace

TYPED_TEST(Rows, SoftmaxAndItsLogarithmAreWithinTheirBounds) {
  using T = TypeParam;
  for (const auto& size : sizes)
    for (const bool logarithm : {false, true}) {
      const Index rows = size.first, n = size.second;
      const auto x = numbers::normal_numbers<T>(rows * n, 1);
      std::vector<T> got(x.size());
      std::vector<double> exact(x.size());
      CpuLoops::softmax(rows, n, logarithm, x.data(), got.data());
      Reference::softmax(rows, n, logarithm, x.data(), exact.data());
      std::vector<double> error(x.size(), error_units<T>(n, spread_of(x)));
      for (std::size_t i = 0; i < error.size(); ++i)
        error[i] *= logarithm ? 1.0 + std::fabs(exact[i]) : exact[i];
      expect_near(got, exact, error);
    }
}

TYPED_TEST(Rows, SoftmaxBackwardIsWithinItsBound) {
  using T = TypeParam;
  for (const auto& size : sizes)
    for (const bool logarithm : {false, true})
      for (const bool accumulate : {false, true}) {
        const Index rows = size.first, n = size.second;
        const auto x = numbers::normal_numbers<T>(rows * n, 1);
        const auto upstream = numbers::normal_numbers<T>(rows * n, 2);
        std::vector<T> y(x.size());
        Reference::softmax(rows, n, logarithm, x.data(), y.data());
        auto got = numbers::normal_numbers<T>(rows * n, 3);
        auto exact = numbers::as_double(got);
        const auto before = numbers::as_double(got, true);
        CpuLoops::softmax_backward(rows, n, logarithm, y.data(), upstream.data(), got.data(),
                                   accumulate);
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

TYPED_TEST(Rows, CrossEntropyAndItsGradientAreWithinTheirBounds) {
  using T = TypeParam;
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
      std::vector<Scalar> loss(target.size()), log_sum(target.size());
      std::vector<double> exact_loss(target.size()), exact_log_sum(target.size());
      CpuLoops::cross_entropy(rows, n, settings, x.data(), target.data(), loss.data(),
                              log_sum.data());
      Reference::cross_entropy(rows, n, settings, x.data(), target.data(), exact_loss.data(),
                               exact_log_sum.data());
      const double units = error_units<T>(n, spread_of(x));
      std::vector<double> error(loss.size());
      for (std::size_t i = 0; i < error.size(); ++i)
        error[i] = units * (1.0 + spread_of(x) + std::fabs(exact_loss[i]));
      expect_near(loss, exact_loss, error);
      expect_near(log_sum, exact_log_sum, error);

      const Scalar factor = Scalar(0.125);
      const double exact_factor = 0.125;
      auto got = numbers::normal_numbers<T>(rows * n, 3);
      auto exact = numbers::as_double(got);
      const auto before = numbers::as_double(got, true);
      CpuLoops::cross_entropy_backward(rows, n, settings, x.data(), target.data(), log_sum.data(),
                                       &factor, got.data(), true);
      Reference::cross_entropy_backward(rows, n, settings, x.data(), target.data(),
                                        exact_log_sum.data(), &exact_factor, exact.data(), true);
      error.resize(got.size());
      for (std::size_t i = 0; i < error.size(); ++i)
        error[i] = 2.0 * units * (1.0 + spread_of(x) + before[i]);
      expect_near(got, exact, error);
    }
}

TYPED_TEST(Rows, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto x = numbers::normal_numbers<T>(500 * 301, 1);
  numbers::expect_same_bits_for_any_threads([&] {
    std::vector<T> y(x.size());
    CpuLoops::softmax(500, 301, false, x.data(), y.data());
    return y;
  });
}

TEST(RowsOfFloats, MaskedEntriesGetNoProbability) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{1.0f, -infinity, 1.0f, -infinity, -infinity};
  std::vector<float> y(5);
  CpuLoops::softmax(1, 5, false, x.data(), y.data());
  EXPECT_EQ(y, (std::vector<float>{0.5f, 0.0f, 0.5f, 0.0f, 0.0f}));
}

TEST(RowsOfFloats, NanAndInfMakeTheLossNan) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(20, 1.0f);
    x[13] = bad;
    const std::vector<std::int32_t> target{3, 4};
    std::vector<float> loss(2), log_sum(2);
    CpuLoops::cross_entropy(2, 10, {}, x.data(), target.data(), loss.data(), log_sum.data());
    EXPECT_TRUE(std::isfinite(loss[0]));
    EXPECT_TRUE(std::isnan(loss[1]));
  }
}

TEST(RowsOfFloats, RefuseATargetThatIsNoClass) {
  const std::vector<float> x(10);
  const std::int32_t target = 10;
  float loss, log_sum;
  EXPECT_THROW(CpuLoops::cross_entropy(1, 10, {}, x.data(), &target, &loss, &log_sum),
               hs::DataError);
}
