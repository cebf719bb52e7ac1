#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/normalization_error.hpp"

namespace hs = halfstep;
using hs::ChannelLayout;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;
using numbers::as_double;
using numbers::expect_near;
using numbers::largest;
using numbers::normal_numbers;

namespace {

template <class T>
class ChannelMoments : public testing::Test {};
TYPED_TEST_SUITE(ChannelMoments, numbers::StorageTypes);

/// Columns, fewer and more than a block of rows; positions, fewer and more than a packet.
const ChannelLayout layouts[] = {{2, 1, 1}, {3, 5, 1}, {200, 37, 1}, {1, 3, 7}, {9, 4, 131}};

/// All that batch normalization computes, forward and backward, on a backend and in its types.
template <class T>
struct Run {
  using Scalar = hs::Compute<T>;
  std::vector<Scalar> mean, variance, scale, sum, product;
  std::vector<T> y, dx;

  template <class B>
  Run(B, const ChannelLayout& layout, const std::vector<T>& x, const std::vector<T>& upstream,
      const std::vector<T>& before, const std::vector<Scalar>& weight,
      const std::vector<Scalar>& bias)
      : mean(weight.size()),
        variance(weight.size()),
        sum(weight.size()),
        product(weight.size()),
        y(x.size()),
        dx(before) {
    const auto read = [](const auto& values) { return values.data(); };
    B::channel_moments(layout, x.data(), mean.data(), variance.data());
    for (const Scalar v : variance) scale.push_back(Scalar(1) / std::sqrt(v + Scalar(1e-5)));
    B::channel_affine(layout, x.data(), read(mean), read(scale), weight.data(), bias.data(),
                      y.data());
    B::channel_sums(layout, x.data(), upstream.data(), read(mean), read(scale), sum.data(),
                    product.data());
    B::channel_gradient(layout, x.data(), upstream.data(), read(mean), read(scale), weight.data(),
                        read(sum), read(product), 1.0 / static_cast<double>(layout.per_channel()),
                        dx.data(), true);
  }
};

}  // namespace

TYPED_TEST(ChannelMoments, AndWhatIsMadeOfThemAreWithinTheirBounds) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  for (const ChannelLayout& layout : layouts) {
    SCOPED_TRACE(testing::Message()
                 << layout.outer << " " << layout.channels << " " << layout.inner);
    const Index size = layout.outer * layout.channels * layout.inner;
    const auto x = normal_numbers<T>(size, 1), upstream = normal_numbers<T>(size, 2);
    const auto before = normal_numbers<T>(size, 3);
    const auto weight = normal_numbers<Scalar>(layout.channels, 4);
    const auto bias = normal_numbers<Scalar>(layout.channels, 5);
    const Run<T> got(CpuLoops(), layout, x, upstream, before, weight, bias);
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

TYPED_TEST(ChannelMoments, LoseNoDigitsToAMeanFarFromZero) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  // 256 and 258 by turns: the variance is 1, the mean of squares 66050 would leave it few digits.
  for (const ChannelLayout& layout : {ChannelLayout{4096, 3, 1}, ChannelLayout{16, 3, 256}}) {
    std::vector<T> x(static_cast<std::size_t>(layout.outer * 3 * layout.inner));
    for (Index i = 0; i < static_cast<Index>(x.size()); ++i) {
      const Index position = layout.inner == 1 ? i / 3 : i % layout.inner;
      x[static_cast<std::size_t>(i)] = hs::storage_cast<T>(position % 2 == 0 ? 256.0f : 258.0f);
    }
    std::vector<Scalar> mean(3), variance(3);
    CpuLoops::channel_moments(layout, x.data(), mean.data(), variance.data());
    EXPECT_EQ(mean, std::vector<Scalar>(3, Scalar(257)));
    EXPECT_EQ(variance, std::vector<Scalar>(3, Scalar(1)));
  }
}

TYPED_TEST(ChannelMoments, HaveTheSameBitsForAnyThreads) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  for (const ChannelLayout& layout : {ChannelLayout{700, 211, 1}, ChannelLayout{35, 20, 211}}) {
    const Index size = layout.outer * layout.channels * layout.inner;
    const auto x = normal_numbers<T>(size, 1), upstream = normal_numbers<T>(size, 2);
    const std::vector<Scalar> parameter(static_cast<std::size_t>(layout.channels), Scalar(0.75));
    numbers::expect_same_bits_for_any_threads([&] {
      const Run<T> run(CpuLoops(), layout, x, upstream, upstream, parameter, parameter);
      auto all = as_double(run.y);
      for (const auto& more : {as_double(run.dx), as_double(run.sum), as_double(run.product)})
        all.insert(all.end(), more.begin(), more.end());
      return all;
    });
  }
}
