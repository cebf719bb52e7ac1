#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/normalization_error.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::Normalization;
using hs::backend::CpuLoops;
using hs::backend::Reference;
using numbers::as_double;
using numbers::expect_near;
using numbers::largest;
using numbers::normal_numbers;

namespace {

template <class T>
class Normalize : public testing::Test {};
TYPED_TEST_SUITE(Normalize, numbers::StorageTypes);

/// One value, odd widths, many samples, one wide group, groups of several channels and positions.
const Normalization problems[] = {
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
      const std::vector<Scalar>& bias)
      : y(x.size()),
        dx(before),
        mean(static_cast<std::size_t>(p.layout.outer * p.groups)),
        scale(mean.size()),
        dweight(weight),
        dbias(bias) {
    B::normalize(p, x.data(), weight.data(), bias.data(), y.data(), mean.data(), scale.data());
    B::normalize_backward(p, x.data(), upstream.data(), std::as_const(mean).data(),
                          std::as_const(scale).data(), weight.data(),
                          hs::NormalizationGradients<T, Scalar>{dx.data(), dweight.data(),
                                                                dbias.data(), true, false, true});
  }
};

}  // namespace

TYPED_TEST(Normalize, ForwardAndBackwardAreWithinTheirBounds) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  for (const Normalization& p : problems) {
    SCOPED_TRACE(testing::Message() << p.layout.outer << " " << p.layout.channels << " "
                                    << p.layout.inner << " in " << p.groups);
    const Index size = p.layout.outer * p.layout.channels * p.layout.inner;
    const auto x = normal_numbers<T>(size, 1), upstream = normal_numbers<T>(size, 2);
    const auto before = normal_numbers<T>(size, 3);
    const auto weight = normal_numbers<Scalar>(p.layout.channels, 4);
    const auto bias = normal_numbers<Scalar>(p.layout.channels, 5);
    const Run<T> got(CpuLoops(), p, x, upstream, before, weight, bias);
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

TYPED_TEST(Normalize, LeavesOutWhatIsNotThere) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  const Normalization p{.layout = {3, 20, 1}};
  const auto x = normal_numbers<T>(60, 1), upstream = normal_numbers<T>(60, 2);
  const std::vector<Scalar> one(20, Scalar(1)), zero(20, Scalar(0));
  const Run<T> with(CpuLoops(), p, x, upstream, std::vector<T>(60), one, zero);
  std::vector<T> y(60), dx(60);
  std::vector<Scalar> mean(3), scale(3);
  const Scalar* const none = nullptr;
  CpuLoops::normalize(p, x.data(), none, none, y.data(), mean.data(), scale.data());
  CpuLoops::normalize_backward(p, x.data(), upstream.data(), std::as_const(mean).data(),
                               std::as_const(scale).data(), none,
                               hs::NormalizationGradients<T, Scalar>{.x = dx.data()});
  EXPECT_EQ(as_double(y), as_double(with.y));
  EXPECT_EQ(as_double(dx), as_double(with.dx));
}

TYPED_TEST(Normalize, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  const auto x = normal_numbers<T>(500 * 301, 1), upstream = normal_numbers<T>(500 * 301, 2);
  for (const Normalization& p : {Normalization{.layout = {500, 301, 1}},
                                 Normalization{.layout = {50, 10, 301}, .groups = 5}}) {
    const std::vector<Scalar> parameter(static_cast<std::size_t>(p.layout.channels), Scalar(0.75));
    numbers::expect_same_bits_for_any_threads([&] {
      const Run<T> run(CpuLoops(), p, x, upstream, std::vector<T>(x.size()), parameter, parameter);
      auto all = as_double(run.y);
      for (const auto& more : {as_double(run.dx), as_double(run.dweight), as_double(run.dbias)})
        all.insert(all.end(), more.begin(), more.end());
      return all;
    });
  }
}

TEST(NormalizeOf16Bits, TakesStatisticsInFp32) {
  // 4096 twos and 4096 fours: their sum, 24576, stalls far below in either type, and the sum of
  // squares does not fit into float16.
  const Normalization p{.layout = {1, 8192, 1}, .epsilon = 0.0};
  std::vector<hs::bfloat16> x(8192, hs::bfloat16(2.0f)), y(8192);
  std::fill(x.begin() + 4096, x.end(), hs::bfloat16(4.0f));
  float mean = 0, scale = 0;
  const float* const none = nullptr;
  CpuLoops::normalize(p, x.data(), none, none, y.data(), &mean, &scale);
  EXPECT_EQ(mean, 3.0f);
  EXPECT_EQ(scale, 1.0f);
  EXPECT_EQ(static_cast<float>(y[0]), -1.0f);
  EXPECT_EQ(static_cast<float>(y[8191]), 1.0f);
}
