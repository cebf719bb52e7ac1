#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's convolution and pooling must do, whatever they are stored in.
namespace convolution_checks {

namespace hs = halfstep;
using hs::ImageLayout;
using hs::test::on_device;
using hs::test::on_host;

/// Zeros and ones of both signs: their sums are exact in any order.
template <class T>
std::vector<T> small_integers(hs::Index count, unsigned seed, int largest = 1) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> small(-largest, largest);
  std::vector<T> numbers(static_cast<std::size_t>(count));
  for (T& x : numbers) x = hs::storage_cast<T>(static_cast<float>(small(generator)));
  return numbers;
}

/// One image, one channel, one position; odd extents; strides, padding, dilation; two groups, and a
/// group for each channel; more channels than a packet has lanes.
inline std::vector<hs::ConvolutionProblem> problems() {
  std::vector<hs::ConvolutionProblem> all{
      {.batch = 1, .channels = 1, .filters = 1, .input = 1, .kernel = 1},
      {.batch = 1, .channels = 3, .filters = 5, .input = {7, 5}, .kernel = 3},
      {.batch = 2, .channels = 1, .filters = 4, .input = 6, .kernel = {3, 2}, .padding = 1},
      {.batch = 3, .channels = 17, .filters = 33, .input = {4, 3}, .kernel = 1},
      {.batch = 2,
       .channels = 4,
       .filters = 6,
       .groups = 2,
       .input = {5, 6},
       .kernel = 2,
       .stride = {2, 1},
       .padding = {0, 1}},
      {.batch = 2, .channels = 5, .filters = 5, .groups = 5, .input = 5, .kernel = 3, .padding = 1},
      {.batch = 1,
       .channels = 2,
       .filters = 3,
       .input = {1, 11},
       .kernel = {1, 3},
       .stride = {1, 3},
       .padding = {0, 2},
       .dilation = {1, 2}},
      {.batch = 2,
       .channels = 16,
       .filters = 8,
       .input = 6,
       .kernel = 3,
       .stride = 2,
       .padding = 2,
       .dilation = 2},
  };
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count; ++i) {
    hs::ConvolutionProblem& p = all[i];
    p.output = {hs::windows_along(p.input.height, p.kernel.height, p.stride.height,
                                  p.padding.height, p.dilation.height),
                hs::windows_along(p.input.width, p.kernel.width, p.stride.width, p.padding.width,
                                  p.dilation.width)};
    all.push_back(p);
    all.back().layout = ImageLayout::channels_last;
  }
  return all;
}

/// Calls `f(to, accumulate)` on arrays of backend B that start with NaN where nothing is to be
/// kept, and compares them with what `exact` makes of the same numbers in double.
template <class B, class T, class F, class Exact>
void expect_equal(const std::string& what, hs::Index count, const F& f, const Exact& exact) {
  for (const bool accumulate : {false, true}) {
    std::vector<T> to = small_integers<T>(count, 9);
    std::vector<double> expected;
    for (const T x : to) expected.push_back(hs::storage_cast<double>(x));
    if (!accumulate)
      for (T& x : to) x = hs::storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
    auto there = on_device<B>(to);
    f(there.data(), accumulate);
    to = on_host<B>(there);
    exact(expected.data(), accumulate);
    for (std::size_t i = 0; i < to.size(); ++i)
      ASSERT_EQ(hs::storage_cast<double>(to[i]), expected[i])
          << what << (accumulate ? " added, element " : ", element ") << i;
  }
}

inline std::vector<double> in_double(const auto& numbers) {
  std::vector<double> wide;
  for (const auto x : numbers) wide.push_back(hs::storage_cast<double>(x));
  return wide;
}

template <class B, class S>
void integers_are_exact() {
  using Compute = hs::Compute<S>;
  using Exact = hs::backend::Reference;
  int number = 0;
  for (const hs::ConvolutionProblem& p : problems()) {
    SCOPED_TRACE("problem " + std::to_string(number++));
    const auto x = small_integers<S>(p.x_size(), 1);
    const auto weight = small_integers<S>(p.weight_size(), 2);
    const auto y = small_integers<S>(p.y_size(), 3);
    const auto bias = small_integers<S>(std::max(p.filters, p.channels), 4);
    const auto wide_x = in_double(x), wide_weight = in_double(weight), wide_y = in_double(y),
               wide_bias = in_double(bias);
    const auto there_x = on_device<B>(x), there_weight = on_device<B>(weight),
               there_y = on_device<B>(y), there_bias = on_device<B>(bias);
    for (const bool has_bias : {false, true}) {
      const S* const b = has_bias ? there_bias.data() : nullptr;
      const double* const wide_b = has_bias ? wide_bias.data() : nullptr;
      expect_equal<B, S>(
          "y", p.y_size(),
          [&](S* to, bool accumulate) {
            B::template convolve<Compute>(p, there_x.data(), there_weight.data(), b, to,
                                          accumulate);
          },
          [&](double* to, bool accumulate) {
            Exact::convolve<double>(p, wide_x.data(), wide_weight.data(), wide_b, to, accumulate);
          });
      expect_equal<B, S>(
          "x", p.x_size(),
          [&](S* to, bool accumulate) {
            B::template convolve_transposed<Compute>(p, there_y.data(), there_weight.data(), b, to,
                                                     accumulate);
          },
          [&](double* to, bool accumulate) {
            Exact::convolve_transposed<double>(p, wide_y.data(), wide_weight.data(), wide_b, to,
                                               accumulate);
          });
    }
    expect_equal<B, S>(
        "weight", p.weight_size(),
        [&](S* to, bool accumulate) {
          B::template convolve_weight<Compute>(p, there_x.data(), there_y.data(), to, accumulate);
        },
        [&](double* to, bool accumulate) {
          Exact::convolve_weight<double>(p, wide_x.data(), wide_y.data(), to, accumulate);
        });
  }
}

template <class B, class S>
void pools_are_exact() {
  using Exact = hs::backend::Reference;
  using Kind = hs::PoolProblem::Kind;
  for (hs::PoolProblem p : {
           hs::PoolProblem{.batch = 1, .channels = 1, .input = 1, .kernel = 1, .stride = 1},
           hs::PoolProblem{.batch = 2, .channels = 1, .input = {5, 4}, .kernel = 2, .stride = 2},
           hs::PoolProblem{.batch = 3,
           .channels = 19,
           .input = {4, 6},
           .kernel = {4, 2},
           .stride = {1, 2},
           .padding = {2, 1}},
           hs::PoolProblem{.batch = 1, .channels = 40, .input = 3, .kernel = 2, .stride = 1},
           // Windows apart from each other, with elements between and behind them.
           hs::PoolProblem{.batch = 2,
           .channels = 19,
           .input = {8, 9},
           .kernel = {2, 4},
           .stride = {3, 5},
           .padding = {1, 2}},
           hs::PoolProblem{.batch = 2, .channels = 64, .input = 5, .kernel = 2, .stride = 2},
       })
    for (const Kind kind : {Kind::maximum, Kind::average}) {
      p.kind = kind;
      p.output = {
          hs::windows_along(p.input.height, p.kernel.height, p.stride.height, p.padding.height, 1),
          hs::windows_along(p.input.width, p.kernel.width, p.stride.width, p.padding.width, 1)};
      // Means of powers of two of integers are exact; few different ones, so that some are equal.
      const auto x = small_integers<S>(p.x_size(), 1, 3);
      const auto upstream = small_integers<S>(p.y_size(), 2, 3);
      const auto wide_x = in_double(x), wide_upstream = in_double(upstream);
      const auto there_x = on_device<B>(x), there_upstream = on_device<B>(upstream);
      hs::TensorOf<S, B> y(hs::Shape{p.y_size()});
      std::vector<double> exact(static_cast<std::size_t>(p.y_size()));
      B::pool(p, there_x.data(), y.data());
      Exact::pool(p, wide_x.data(), exact.data());
      EXPECT_EQ(in_double(on_host<B>(y)), exact);
      expect_equal<B, S>(
          "gradient", p.x_size(),
          [&](S* to, bool accumulate) {
            B::pool_backward(p, there_x.data(), there_upstream.data(), to, accumulate);
          },
          [&](double* to, bool accumulate) {
            Exact::pool_backward(p, wide_x.data(), wide_upstream.data(), to, accumulate);
          });
    }
}

/// Windows that overlap, and windows that do not.
template <class B, class S>
void nan_gets_the_gradient() {
  for (const hs::Index stride : {1, 2}) {
    hs::PoolProblem p{.channels = 19, .input = 2, .kernel = 2, .stride = stride};
    p.output = 1;
    std::vector<S> x(static_cast<std::size_t>(p.x_size()), hs::storage_cast<S>(1.0f));
    const std::size_t third_pixel = 2 * 19, channel = 17;
    x[third_pixel + channel] = hs::storage_cast<S>(std::numeric_limits<float>::quiet_NaN());
    const std::vector<S> upstream(19, hs::storage_cast<S>(3.0f));
    const auto there_x = on_device<B>(x), there_upstream = on_device<B>(upstream);
    hs::TensorOf<S, B> gradient(hs::Shape{p.x_size()});
    B::pool_backward(p, there_x.data(), there_upstream.data(), gradient.data(), false);
    std::vector<double> expected(x.size(), 0.0);
    std::fill_n(expected.begin(), 19, 3.0);
    expected[channel] = 0.0;
    expected[third_pixel + channel] = 3.0;
    EXPECT_EQ(in_double(on_host<B>(gradient)), expected);
  }
}

template <class B_, class S_>
struct Case {
  using B = B_;
  using S = S_;
};
template <class Case>
class Convolution : public hs::test::BackendTest<typename Case::B, typename Case::S> {};
TYPED_TEST_SUITE_P(Convolution);

TYPED_TEST_P(Convolution, IsExactForSmallIntegers) {
  integers_are_exact<typename TypeParam::B, typename TypeParam::S>();
}
TYPED_TEST_P(Convolution, SoArePools) {
  pools_are_exact<typename TypeParam::B, typename TypeParam::S>();
}
TYPED_TEST_P(Convolution, MaxPoolGivesANanItsGradient) {
  nan_gets_the_gradient<typename TypeParam::B, typename TypeParam::S>();
}
REGISTER_TYPED_TEST_SUITE_P(Convolution, IsExactForSmallIntegers, SoArePools,
                            MaxPoolGivesANanItsGradient);

}  // namespace convolution_checks
