#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/normalization_error.hpp"
#include "support/on_device.hpp"

// What every backend's normalization must do.
namespace normalize_checks {

namespace hs = halfstep;
using hs::Index;
using hs::Normalization;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::expect_near;
using numbers::largest;
using numbers::normal_numbers;

/// One value, odd widths, many samples, one wide group, groups of several channels and positions.
inline const Normalization problems[] = {
    {.layout = {1, 1, 1}},
    {.layout = {3, 5, 1}},
    {.layout = {3, 5, 1}, .centred = false},
    {.layout = {70, 33, 1}},
    {.layout = {2, 1500, 1}, .centred = false},
    {.layout = {3, 12, 1}, .groups = 3},
    {.layout = {2, 6, 35}, .groups = 3},
    {.layout = {1, 2, 1201}, .groups = 1, .epsilon = 0.1},
};

/// All that a normalization computes, forward and backward, on a backend and in its types.
template <class T>
struct Run {
  using Scalar = hs::Compute<T>;
  std::vector<T> y, dx;
  std::vector<Scalar> mean, scale, dweight, dbias;

  template <class B>
  Run(B, const Normalization& p, const std::vector<T>& x, const std::vector<T>& upstream,
      const std::vector<T>& before, const std::vector<Scalar>& weight,
      const std::vector<Scalar>& bias) {
    const auto there_x = on_device<B>(x), there_upstream = on_device<B>(upstream);
    const auto there_weight = on_device<B>(weight), there_bias = on_device<B>(bias);
    hs::TensorOf<T, B> there_y(there_x.shape());
    hs::TensorOf<Scalar, B> there_mean(hs::Shape{p.layout.outer * p.groups});
    hs::TensorOf<Scalar, B> there_scale(there_mean.shape());
    auto there_dx = on_device<B>(before);
    auto there_dweight = on_device<B>(weight), there_dbias = on_device<B>(bias);
    B::normalize(p, there_x.data(), there_weight.data(), there_bias.data(), there_y.data(),
                 there_mean.data(), there_scale.data());
    B::normalize_backward(
        p, there_x.data(), there_upstream.data(), std::as_const(there_mean).data(),
        std::as_const(there_scale).data(), there_weight.data(),
        hs::NormalizationGradients<T, Scalar>{there_dx.data(), there_dweight.data(),
                                              there_dbias.data(), true, false, true});
    y = on_host<B>(there_y);
    dx = on_host<B>(there_dx);
    mean = on_host<B>(there_mean);
    scale = on_host<B>(there_scale);
    dweight = on_host<B>(there_dweight);
    dbias = on_host<B>(there_dbias);
  }
};

template <class Case>
class Normalize : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Normalize);

TYPED_TEST_P(Normalize, ForwardAndBackwardAreWithinTheirBounds) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  for (const Normalization& p : problems) {
    SCOPED_TRACE(testing::Message() << p.layout.outer << " " << p.layout.channels << " "
                                    << p.layout.inner << " in " << p.groups);
    const Index size = p.layout.outer * p.layout.channels * p.layout.inner;
    const auto x = normal_numbers<T>(size, 1), upstream = normal_numbers<T>(size, 2);
    const auto before = normal_numbers<T>(size, 3);
    const auto weight = normal_numbers<Scalar>(p.layout.channels, 4);
    const auto bias = normal_numbers<Scalar>(p.layout.channels, 5);
    const Run<T> got(B(), p, x, upstream, before, weight, bias);
    const Run<double> exact(Reference(), p, as_double(x), as_double(upstream), as_double(before),
                            as_double(weight), as_double(bias));
    hs::test::NormalizationError error;
    error.u = hs::numeric_traits<Scalar>::unit_roundoff;
    error.x = largest(as_double(x));
    error.parameter = std::max({1.0, largest(as_double(weight)), largest(as_double(bias))});
    error.upstream = largest(as_double(upstream));
    error.scale = largest(exact.scale);
    error.set = static_cast<double>(p.per_group());
    error.channel = static_cast<double>(p.layout.per_channel());
    expect_near("y", got.y, exact.y, error.of_y());
    // What is added to is rounded once more, and so are sums of both.
    const double added = 2.0 * error.u;
    expect_near("gradient", got.dx, exact.dx,
                error.of_gradient() + added * largest(as_double(before)));
    expect_near("weight", got.dweight, exact.dweight, error.of_weight());
    expect_near("bias", got.dbias, exact.dbias, error.of_bias() + added * largest(as_double(bias)));
  }
}

TYPED_TEST_P(Normalize, LeavesOutWhatIsNotThere) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  const Normalization p{.layout = {3, 20, 1}};
  const auto x = normal_numbers<T>(60, 1), upstream = normal_numbers<T>(60, 2);
  const std::vector<Scalar> one(20, Scalar(1)), zero(20, Scalar(0));
  const Run<T> with(B(), p, x, upstream, std::vector<T>(60), one, zero);
  const auto there_x = on_device<B>(x), there_upstream = on_device<B>(upstream);
  hs::TensorOf<T, B> y(there_x.shape()), dx(there_x.shape());
  hs::TensorOf<Scalar, B> mean(hs::Shape{3}), scale(hs::Shape{3});
  const Scalar* const none = nullptr;
  B::normalize(p, there_x.data(), none, none, y.data(), mean.data(), scale.data());
  B::normalize_backward(p, there_x.data(), there_upstream.data(), std::as_const(mean).data(),
                        std::as_const(scale).data(), none,
                        hs::NormalizationGradients<T, Scalar>{.x = dx.data()});
  EXPECT_EQ(as_double(on_host<B>(y)), as_double(with.y));
  EXPECT_EQ(as_double(on_host<B>(dx)), as_double(with.dx));
}

TYPED_TEST_P(Normalize, TakesStatisticsInFp32) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  // 4096 twos and 4096 fours: their sum, 24576, stalls far below in either 16-bit type, and the sum
  // of squares does not fit into float16.
  const Normalization p{.layout = {1, 8192, 1}, .epsilon = 0.0};
  std::vector<T> x(8192, hs::storage_cast<T>(2.0f));
  std::fill(x.begin() + 4096, x.end(), hs::storage_cast<T>(4.0f));
  const auto there = on_device<B>(x);
  hs::TensorOf<T, B> y(there.shape());
  hs::TensorOf<Scalar, B> mean(hs::Shape{1}), scale(hs::Shape{1});
  const Scalar* const none = nullptr;
  B::normalize(p, there.data(), none, none, y.data(), mean.data(), scale.data());
  EXPECT_EQ(on_host<B>(mean)[0], Scalar(3));
  EXPECT_EQ(on_host<B>(scale)[0], Scalar(1));
  const auto got = as_double(on_host<B>(y));
  EXPECT_EQ(got[0], -1.0);
  EXPECT_EQ(got[8191], 1.0);
}

REGISTER_TYPED_TEST_SUITE_P(Normalize, ForwardAndBackwardAreWithinTheirBounds,
                            LeavesOutWhatIsNotThere, TakesStatisticsInFp32);

}  // namespace normalize_checks
