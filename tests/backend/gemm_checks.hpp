#pragma once

#include <halfstep/backend/reference.hpp>
#include <halfstep/ops/gemm.hpp>
#include <halfstep/precision/product.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's product must do, whatever it multiplies.
namespace gemm_checks {

namespace hs = halfstep;

using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

/// What a product on backend B makes of numbers of the host; `c` is what it may add to.
template <class B, class Compute, class In, class Out>
std::vector<Out> product(const hs::GemmProblem& p, const std::vector<In>& a,
                         const std::vector<In>& b, const std::vector<Out>& c,
                         const std::vector<In>& bias = {}) {
  const auto there_a = on_device<B>(a), there_b = on_device<B>(b), there_bias = on_device<B>(bias);
  auto result = on_device<B>(c);
  B::template gemm<Compute>(p, there_a.data(), there_b.data(), result.data(),
                            bias.empty() ? nullptr : there_bias.data());
  return on_host<B>(result);
}

/// |C - R| <= u_out |R| + (1 + u_out) gamma_K(u_acc) (|A||B|), R in double from the rounded inputs
/// (Higham, ch. 3); bias and beta C are two more terms of each sum. TF32 drops 13 bits of an
/// operand, less than 2^-10 of it, so a product is off by less than 2^-9 + 2^-20.
template <class B, class Compute, class In, class Out>
void expect_within_bound(const hs::GemmProblem& p, bool has_bias) {
  const auto a = normal_numbers<In>(p.batch * p.m * p.k, 1);
  const auto b = normal_numbers<In>(p.batch * p.k * p.n, 2);
  const auto bias = normal_numbers<In>(has_bias ? p.n : 0, 3);
  auto c = normal_numbers<Out>(p.batch * p.m * p.n, 4);
  auto exact = as_double(c);
  auto magnitude = as_double(c, true);
  if (p.beta == 0.0f)
    for (Out& value : c) value = hs::storage_cast<Out>(std::numeric_limits<float>::quiet_NaN());

  c = product<B, Compute>(p, a, b, c, bias);

  const auto wide_bias = as_double(bias, true);
  hs::backend::Reference::gemm<double>(p, a.data(), b.data(), exact.data(),
                                       has_bias ? bias.data() : nullptr);
  hs::GemmProblem sizes = p;
  sizes.alpha = std::fabs(p.alpha);
  sizes.activation = hs::Activation::none;
  hs::backend::Reference::gemm<double>(sizes, as_double(a, true).data(), as_double(b, true).data(),
                                       magnitude.data(), has_bias ? wide_bias.data() : nullptr);

  const double u_out = hs::numeric_traits<Out>::unit_roundoff;
  const double u = hs::test::Machine<B>::template product_roundoff<In, Compute>;
  const double terms = static_cast<double>(p.k) + 4.0;
  double gamma = terms * u / (1.0 - terms * u);
  if (std::is_same_v<Compute, hs::tf32>) gamma += (1.0 + gamma) * (0x1p-9 + 0x1p-20);
  for (std::size_t i = 0; i < c.size(); ++i) {
    const double bound = u_out * std::fabs(exact[i]) + (1.0 + u_out) * gamma * magnitude[i] +
                         hs::numeric_traits<Out>::min_subnormal;
    ASSERT_LE(std::fabs(hs::storage_cast<double>(c[i]) - exact[i]), bound)
        << "element " << i << " of " << p.batch << " x [" << p.m << ", " << p.n << "], k " << p.k
        << ", transposes " << p.transpose_a << p.transpose_b << ", alpha " << p.alpha << ", beta "
        << p.beta << ", bias " << has_bias;
  }
}

struct Extents {
  hs::Index m, n, k;
};

template <class B, class Compute, class In, class Out>
void every_transpose_and_size() {
  for (const Extents e : {Extents{1, 1, 1},
                          {1, 10, 7},
                          {3, 1, 65},
                          {64, 48, 32},
                          {37, 21, 53},
                          {128, 10, 96},
                          {1, 129, 200}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true})
        expect_within_bound<B, Compute, In, Out>(
            {.m = e.m, .n = e.n, .k = e.k, .transpose_a = transpose_a, .transpose_b = transpose_b},
            false);
}

template <class B, class Compute, class In, class Out>
void every_way_out() {
  for (const float alpha : {1.0f, -0.5f})
    for (const float beta : {0.0f, 1.0f, 0.25f})
      for (const hs::Activation activation : {hs::Activation::none, hs::Activation::relu})
        for (const bool has_bias : {false, true})
          expect_within_bound<B, Compute, In, Out>({.m = 19,
                                                    .n = 23,
                                                    .k = 31,
                                                    .transpose_b = true,
                                                    .alpha = alpha,
                                                    .beta = beta,
                                                    .activation = activation},
                                                   has_bias);
}

template <class B, class Compute, class In, class Out>
void batches() {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true})
      for (const float beta : {0.0f, 1.0f})
        expect_within_bound<B, Compute, In, Out>({.batch = 3,
                                                  .m = 17,
                                                  .n = 9,
                                                  .k = 33,
                                                  .transpose_a = transpose_a,
                                                  .transpose_b = transpose_b,
                                                  .beta = beta},
                                                 true);
}

/// An empty sum is zero: what is left is the bias and beta C.
template <class B, class Compute, class In, class Out>
void empty_sums() {
  const std::vector<In> bias{hs::storage_cast<In>(1.0f), hs::storage_cast<In>(-2.0f)}, nothing(1);
  std::vector<Out> c(2, hs::storage_cast<Out>(4.0f));
  c = product<B, Compute>({.m = 1, .n = 2, .k = 0, .beta = 1.0f}, nothing, nothing, c, bias);
  EXPECT_EQ(hs::storage_cast<float>(c[0]), 5.0f);
  EXPECT_EQ(hs::storage_cast<float>(c[1]), 2.0f);
  c = product<B, Compute>({.m = 0, .n = 2, .k = 3}, nothing, nothing, c, bias);
  EXPECT_EQ(hs::storage_cast<float>(c[0]), 5.0f);
}

/// Sums of integers that fit the accumulator are exact in any order.
template <class B, class Compute, class In, class Out>
void integers_are_exact() {
  const hs::GemmProblem p{.m = 33, .n = 47, .k = 60, .transpose_b = true};
  std::mt19937 generator(5);
  std::uniform_int_distribution<int> small(-1, 1);
  std::vector<In> a(static_cast<std::size_t>(p.m * p.k)), b(static_cast<std::size_t>(p.n * p.k));
  for (In& x : a) x = hs::storage_cast<In>(static_cast<float>(small(generator)));
  for (In& x : b) x = hs::storage_cast<In>(static_cast<float>(small(generator)));
  std::vector<Out> c(static_cast<std::size_t>(p.m * p.n)), expected(c);
  const In* const no_bias = nullptr;
  c = product<B, Compute>(p, a, b, c);
  hs::backend::Reference::gemm<double>(p, a.data(), b.data(), expected.data(), no_bias);
  for (std::size_t i = 0; i < c.size(); ++i)
    ASSERT_EQ(hs::storage_cast<double>(c[i]), hs::storage_cast<double>(expected[i])) << i;
}

template <class B, class Compute, class In, class Out>
double sum_of_ones(hs::Index count) {
  const std::vector<In> ones(static_cast<std::size_t>(count), hs::storage_cast<In>(1.0f));
  const auto sum =
      product<B, Compute>({.m = 1, .n = 1, .k = count}, ones, ones, std::vector<Out>(1));
  return hs::storage_cast<double>(sum[0]);
}

/// NaN comes through a product and its activation: a skipped step depends on it.
template <class B, class Compute, class In, class Out>
void nan_comes_through() {
  std::vector<In> a(6, hs::storage_cast<In>(1.0f)), b(6, hs::storage_cast<In>(1.0f));
  a[4] = hs::storage_cast<In>(std::numeric_limits<float>::quiet_NaN());
  for (const hs::Activation activation : {hs::Activation::none, hs::Activation::relu}) {
    const auto c = product<B, Compute>({.m = 2, .n = 2, .k = 3, .activation = activation}, a, b,
                                       std::vector<Out>(4));
    EXPECT_EQ(hs::storage_cast<float>(c[0]), 3.0f);
    EXPECT_TRUE(std::isnan(hs::storage_cast<float>(c[2])));
  }
}

/// A backend, the storage types of a product, and what it computes in.
template <class B, class In_, class Compute_, class Out_>
struct Case {
  using Backend = B;
  using In = In_;
  using Compute = Compute_;
  using Out = Out_;
};

template <class Case>
class Gemm : public hs::test::BackendTest<typename Case::Backend, typename Case::In> {};
TYPED_TEST_SUITE_P(Gemm);

#define HALFSTEP_TEST_GEMM(check)                                                         \
  check<typename TypeParam::Backend, typename TypeParam::Compute, typename TypeParam::In, \
        typename TypeParam::Out>

TYPED_TEST_P(Gemm, KeepsTheErrorBoundForEveryTransposeAndSize) {
  HALFSTEP_TEST_GEMM(every_transpose_and_size)();
}
TYPED_TEST_P(Gemm, AppliesAlphaBetaBiasAndReluOnTheWayOut) { HALFSTEP_TEST_GEMM(every_way_out)(); }
TYPED_TEST_P(Gemm, MultipliesBatches) { HALFSTEP_TEST_GEMM(batches)(); }
TYPED_TEST_P(Gemm, TakesAnEmptySumForZero) { HALFSTEP_TEST_GEMM(empty_sums)(); }
TYPED_TEST_P(Gemm, IsExactForSmallIntegers) { HALFSTEP_TEST_GEMM(integers_are_exact)(); }
TYPED_TEST_P(Gemm, Sums4096OnesTo4096) {
  const double sum = HALFSTEP_TEST_GEMM(sum_of_ones)(4096);
  EXPECT_EQ(sum, 4096.0);
}
TYPED_TEST_P(Gemm, LetsNanThrough) { HALFSTEP_TEST_GEMM(nan_comes_through)(); }

REGISTER_TYPED_TEST_SUITE_P(Gemm, KeepsTheErrorBoundForEveryTransposeAndSize,
                            AppliesAlphaBetaBiasAndReluOnTheWayOut, MultipliesBatches,
                            TakesAnEmptySumForZero, IsExactForSmallIntegers, Sums4096OnesTo4096,
                            LetsNanThrough);

}  // namespace gemm_checks
