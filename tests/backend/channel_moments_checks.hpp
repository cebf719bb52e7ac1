#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/normalization_error.hpp"
#include "support/on_device.hpp"

// What every backend's channels' statistics must do.
namespace channel_moments_checks {

namespace hs = halfstep;
using hs::ChannelLayout;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::expect_near;
using numbers::largest;
using numbers::normal_numbers;

/// Columns, fewer and more than a block of rows; positions, fewer and more than a packet.
inline const ChannelLayout layouts[] = {{2, 1, 1}, {3, 5, 1}, {200, 37, 1}, {1, 3, 7}, {9, 4, 131}};

/// All that batch normalization computes, forward and backward, on a backend and in its types.
template <class T>
struct Run {
  using Scalar = hs::Compute<T>;
  std::vector<Scalar> mean, variance, scale, sum, product;
  std::vector<T> y, dx;

  template <class B>
  Run(B, const ChannelLayout& layout, const std::vector<T>& x, const std::vector<T>& upstream,
      const std::vector<T>& before, const std::vector<Scalar>& weight,
      const std::vector<Scalar>& bias) {
    const Index channels = layout.channels;
    const auto there_x = on_device<B>(x), there_upstream = on_device<B>(upstream);
    const auto there_weight = on_device<B>(weight), there_bias = on_device<B>(bias);
    hs::TensorOf<Scalar, B> there_mean(hs::Shape{channels}), there_variance(hs::Shape{channels});
    hs::TensorOf<Scalar, B> there_sum(hs::Shape{channels}), there_product(hs::Shape{channels});
    hs::TensorOf<T, B> there_y(there_x.shape());
    auto there_dx = on_device<B>(before);
    const auto read = [](const auto& tensor) { return tensor.data(); };
    B::channel_moments(layout, there_x.data(), there_mean.data(), there_variance.data());
    variance = on_host<B>(there_variance);
    for (const Scalar v : variance) scale.push_back(Scalar(1) / std::sqrt(v + Scalar(1e-5)));
    const auto there_scale = on_device<B>(scale);
    B::channel_affine(layout, there_x.data(), read(there_mean), there_scale.data(),
                      there_weight.data(), there_bias.data(), there_y.data());
    B::channel_sums(layout, there_x.data(), there_upstream.data(), read(there_mean),
                    there_scale.data(), there_sum.data(), there_product.data());
    B::channel_gradient(layout, there_x.data(), there_upstream.data(), read(there_mean),
                        there_scale.data(), there_weight.data(), read(there_sum),
                        read(there_product), 1.0 / static_cast<double>(layout.per_channel()),
                        there_dx.data(), true);
    mean = on_host<B>(there_mean);
    sum = on_host<B>(there_sum);
    product = on_host<B>(there_product);
    y = on_host<B>(there_y);
    dx = on_host<B>(there_dx);
  }
};

template <class Case>
class ChannelMoments
    : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(ChannelMoments);

TYPED_TEST_P(ChannelMoments, AndWhatIsMadeOfThemAreWithinTheirBounds) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  for (const ChannelLayout& layout : layouts) {
    SCOPED_TRACE(testing::Message()
                 << layout.outer << " " << layout.channels << " " << layout.inner);
    const Index size = layout.outer * layout.channels * layout.inner;
    const auto x = normal_numbers<T>(size, 1), upstream = normal_numbers<T>(size, 2);
    const auto before = normal_numbers<T>(size, 3);
    const auto weight = normal_numbers<Scalar>(layout.channels, 4);
    const auto bias = normal_numbers<Scalar>(layout.channels, 5);
    const Run<T> got(B(), layout, x, upstream, before, weight, bias);
    const Run<double> exact(Reference(), layout, as_double(x), as_double(upstream),
                            as_double(before), as_double(weight), as_double(bias));
    hs::test::NormalizationError error;
    error.u = hs::numeric_traits<Scalar>::unit_roundoff;
    error.x = largest(as_double(x));
    error.parameter = std::max({1.0, largest(as_double(weight)), largest(as_double(bias))});
    error.upstream = largest(as_double(upstream));
    error.scale = largest(exact.scale);
    error.set = error.channel = static_cast<double>(layout.per_channel());
    expect_near("mean", got.mean, exact.mean, error.of_mean());
    expect_near("variance", got.variance, exact.variance, error.of_variance());
    expect_near("y", got.y, exact.y, error.of_y());
    expect_near("sum", got.sum, exact.sum, error.of_bias());
    expect_near("product", got.product, exact.product, error.of_weight());
    expect_near("gradient", got.dx, exact.dx,
                error.of_gradient() + 2.0 * error.u * largest(as_double(before)));
  }
}

TYPED_TEST_P(ChannelMoments, LoseNoDigitsToAMeanFarFromZero) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  using Scalar = hs::Compute<T>;
  // 256 and 258 by turns: the variance is 1, the mean of squares 66050 would leave it few digits.
  for (const ChannelLayout& layout : {ChannelLayout{4096, 3, 1}, ChannelLayout{16, 3, 256}}) {
    std::vector<T> x(static_cast<std::size_t>(layout.outer * 3 * layout.inner));
    for (Index i = 0; i < static_cast<Index>(x.size()); ++i) {
      const Index position = layout.inner == 1 ? i / 3 : i % layout.inner;
      x[static_cast<std::size_t>(i)] = hs::storage_cast<T>(position % 2 == 0 ? 256.0f : 258.0f);
    }
    const auto there = on_device<B>(x);
    hs::TensorOf<Scalar, B> mean(hs::Shape{3}), variance(hs::Shape{3});
    B::channel_moments(layout, there.data(), mean.data(), variance.data());
    EXPECT_EQ(on_host<B>(mean), std::vector<Scalar>(3, Scalar(257)));
    EXPECT_EQ(on_host<B>(variance), std::vector<Scalar>(3, Scalar(1)));
  }
}

REGISTER_TYPED_TEST_SUITE_P(ChannelMoments, AndWhatIsMadeOfThemAreWithinTheirBounds,
                            LoseNoDigitsToAMeanFarFromZero);

}  // namespace channel_moments_checks
