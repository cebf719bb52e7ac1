#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's products with an activation must do, fused or not.
namespace epilogue_checks {

namespace hs = halfstep;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;
using Doubles = std::vector<double>;

/// What a tensor of backend B holds.
template <class B, class T>
Doubles doubles_of(const hs::TensorOf<T, B>& tensor) {
  return as_double(on_host<B>(tensor));
}

/// GELU and relu, their slopes, and how far a slope computed with roundoff 1 may be off: what 1 -
/// sigmoid loses is multiplied by x and by the slope of the exponent.
struct Gelu {
  static constexpr double steepest = 1.13;  ///< |gelu'| is at most 1.129
  static double value(double x) { return hs::formulas::GeluTanh{}(x); }
  static double slope(double x) { return hs::formulas::GeluTanh{}.backward(1.0, x); }
  static double slope_error(double x) {
    return 8.0 * (1.0 + 1.596 * std::fabs(x) * (1.0 + 0.134145 * x * x));
  }
};
struct Relu {
  static constexpr double steepest = 1.0;
  static double slope(double after) { return after > 0.0 ? 1.0 : 0.0; }
  static double slope_error(double) { return 0.0; }
};

/// A product's operands in T, its exact result, and the bound of what is stored of it:
/// u |R| + (1 + u) gamma_K (|A||B| + |bias|); see gemm_checks.hpp.
template <class B, class Compute, class T>
struct Product {
  hs::GemmProblem p;
  std::vector<T> a = normal_numbers<T>(p.m * p.k, 1), b = normal_numbers<T>(p.k * p.n, 2);
  std::vector<T> bias = normal_numbers<T>(p.n, 3);
  Doubles exact = Doubles(static_cast<std::size_t>(p.m * p.n)), error = exact;

  Product(const hs::GemmProblem& problem, bool has_bias) : p(problem) {
    const Doubles wide_bias = as_double(bias, true);
    Reference::gemm<double>(p, a.data(), b.data(), exact.data(), has_bias ? bias.data() : nullptr);
    Reference::gemm<double>(p, as_double(a, true).data(), as_double(b, true).data(), error.data(),
                            has_bias ? wide_bias.data() : nullptr);
    const double u = hs::numeric_traits<T>::unit_roundoff;
    const double terms = (static_cast<double>(p.k) + 4.0) *
                         hs::test::Machine<B>::template product_roundoff<T, Compute>;
    for (std::size_t i = 0; i < exact.size(); ++i)
      error[i] = u * std::fabs(exact[i]) + (1.0 + u) * terms / (1.0 - terms) * error[i] +
                 hs::numeric_traits<T>::min_subnormal;
  }
};

/// Fails where a number is further off than a bound and its rounding to T.
template <class T>
void expect_within(const char* what, const Doubles& got, const Doubles& exact,
                   const Doubles& error) {
  const double u = hs::numeric_traits<T>::unit_roundoff;
  ASSERT_EQ(got.size(), exact.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::fabs(got[i] - exact[i]),
              u * std::fabs(exact[i]) + (1.0 + u) * error[i] + hs::numeric_traits<T>::min_subnormal)
        << what << " " << i << " of " << got.size();
}

inline hs::GemmProblem problem_of(hs::Index m, hs::Index n, hs::Index k, bool transpose_b) {
  return {.m = m, .n = n, .k = k, .transpose_b = transpose_b};
}

/// The sum may reach GELU before it is rounded to T or after: one roundoff more in its argument,
/// times the steepest slope. Its evaluation adds 16 of the compute type's, relative to x.
template <class B, class Compute, class T>
void gelu(const hs::GemmProblem& p, bool has_bias) {
  const Product<B, Compute, T> product(p, has_bias);
  const auto a = on_device<B>(product.a), b = on_device<B>(product.b),
             bias = on_device<B>(product.bias);
  hs::TensorOf<T, B> c(hs::Shape{p.m * p.n}), before(hs::Shape{p.m * p.n});
  B::template gemm_gelu<Compute>(p, a.read().data(), b.read().data(), c.data(),
                                 has_bias ? bias.read().data() : nullptr, before.data());
  Doubles exact = product.exact, error = product.error;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    error[i] = Gelu::steepest * error[i] +
               16.0 * hs::numeric_traits<Compute>::unit_roundoff * std::fabs(exact[i]);
    exact[i] = Gelu::value(exact[i]);
  }
  expect_within<T>("before", doubles_of<B, T>(before), product.exact, product.error);
  expect_within<T>("gelu", doubles_of<B, T>(c), exact, error);
}

template <class B, class Compute, class T>
void run_backward(Gelu, const hs::GemmProblem& p, const T* a, const T* b, T* c, const T* saved,
                  T* bias_gradient, bool add) {
  B::template gemm_gelu_backward<Compute>(p, a, b, c, saved, bias_gradient, add);
}
template <class B, class Compute, class T>
void run_backward(Relu, const hs::GemmProblem& p, const T* a, const T* b, T* c, const T* saved,
                  T* bias_gradient, bool add) {
  B::template gemm_relu_backward<Compute>(p, a, b, c, saved, bias_gradient, add);
}

/// What the product's gradient is within, and the sum of its columns: gamma_M for the additions,
/// and every summand may have been rounded to T before.
template <class B, class Compute, class T, class Activation>
void backward(const hs::GemmProblem& p, bool add_to_bias) {
  const Product<B, Compute, T> product(p, false);
  const auto saved = normal_numbers<T>(p.m * p.n, 4);
  auto sums = normal_numbers<T>(p.n, 5);
  if (!add_to_bias)
    for (T& sum : sums) sum = hs::storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
  const auto a = on_device<B>(product.a), b = on_device<B>(product.b), from = on_device<B>(saved);
  auto bias_gradient = on_device<B>(sums);
  hs::TensorOf<T, B> c(hs::Shape{p.m * p.n}), alone(hs::Shape{p.m * p.n});
  run_backward<B, Compute>(Activation(), p, a.read().data(), b.read().data(), c.data(),
                           from.read().data(), bias_gradient.data(), add_to_bias);
  run_backward<B, Compute>(Activation(), p, a.read().data(), b.read().data(), alone.data(),
                           from.read().data(), static_cast<T*>(nullptr), false);

  const double u = hs::numeric_traits<T>::unit_roundoff;
  const double u_compute = hs::numeric_traits<Compute>::unit_roundoff;
  const double terms = (static_cast<double>(p.m) + 1.0) * u_compute;
  Doubles exact = product.exact, error = product.error;
  Doubles exact_sums = add_to_bias ? as_double(sums) : Doubles(sums.size());
  Doubles sums_error(sums.size());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double x = hs::storage_cast<double>(saved[i]);
    error[i] = Activation::steepest * error[i] +
               u_compute * Activation::slope_error(x) * std::fabs(exact[i]);
    exact[i] *= Activation::slope(x);
    const std::size_t column = i % sums.size();
    exact_sums[column] += exact[i];
    sums_error[column] += (u + terms / (1.0 - terms)) * std::fabs(exact[i]) + (1.0 + u) * error[i] +
                          hs::numeric_traits<T>::min_subnormal;
  }
  const Doubles got = doubles_of<B, T>(c);
  expect_within<T>("gradient", got, exact, error);
  expect_within<T>("bias gradient", doubles_of<B, T>(bias_gradient), exact_sums, sums_error);
  expect_within<T>("gradient alone", (doubles_of<B, T>(alone)), exact, error);
}

/// The gradients of a weight and its bias: the product is gemm's, and the sums of op(a)'s rows are
/// within gamma_K, where one roundoff of T may come before they are added to something.
template <class B, class Compute, class T>
void bias_gradient(const hs::GemmProblem& problem, bool add_to_bias) {
  const Product<B, Compute, T> product(problem, false);
  const hs::GemmProblem& p = product.p;
  auto sums = normal_numbers<T>(p.m, 5);
  if (!add_to_bias)
    for (T& sum : sums) sum = hs::storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
  const auto a = on_device<B>(product.a), b = on_device<B>(product.b);
  auto there = on_device<B>(sums);
  hs::TensorOf<T, B> c(hs::Shape{p.m * p.n});
  B::template gemm_bias_gradient<Compute>(p, a.read().data(), b.read().data(), c.data(),
                                          there.data(), add_to_bias);
  const double terms = (static_cast<double>(p.k) + 1.0) *
                       hs::test::Machine<B>::template product_roundoff<T, Compute>;
  Doubles exact = add_to_bias ? as_double(sums) : Doubles(sums.size()), error(sums.size());
  for (hs::Index row = 0; row < p.m; ++row)
    for (hs::Index j = 0; j < p.k; ++j) {
      const double x = hs::storage_cast<double>(
          product.a[static_cast<std::size_t>(p.transpose_a ? j * p.m + row : row * p.k + j)]);
      exact[static_cast<std::size_t>(row)] += x;
      error[static_cast<std::size_t>(row)] +=
          (hs::numeric_traits<T>::unit_roundoff + terms / (1.0 - terms)) * std::fabs(x);
    }
  expect_within<T>("product", doubles_of<B, T>(c), product.exact, product.error);
  expect_within<T>("bias gradient", doubles_of<B, T>(there), exact, error);
}

/// A step with NaN is skipped because the gradients show it.
template <class B, class Compute, class T>
void nan_comes_through() {
  const hs::GemmProblem p{.m = 2, .n = 2, .k = 3};
  std::vector<T> a(6, hs::storage_cast<T>(1.0f)), ones = a, four(4, hs::storage_cast<T>(1.0f));
  a[4] = hs::storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
  const auto left = on_device<B>(a), right = on_device<B>(ones), saved = on_device<B>(four);
  hs::TensorOf<T, B> c(hs::Shape{4}), before(hs::Shape{4}), sums(hs::Shape{2});
  const auto expect_nan_in_row_1 = [](const Doubles& x) {
    EXPECT_FALSE(std::isnan(x[0]));
    EXPECT_TRUE(std::isnan(x[2]));
  };
  const T* const no_bias = nullptr;
  B::template gemm_gelu<Compute>(p, left.read().data(), right.read().data(), c.data(), no_bias,
                                 before.data());
  expect_nan_in_row_1(doubles_of<B, T>(before));
  expect_nan_in_row_1(doubles_of<B, T>(c));
  const auto backward = [&](auto activation) {
    run_backward<B, Compute>(activation, p, left.read().data(), right.read().data(), c.data(),
                             saved.read().data(), sums.data(), false);
    expect_nan_in_row_1(doubles_of<B, T>(c));
    EXPECT_TRUE(std::isnan(doubles_of<B, T>(sums)[1]));
  };
  backward(Gelu());
  backward(Relu());
}

/// A backend, what is stored, and what products compute in.
template <class B, class T, class Compute_ = hs::Compute<T>>
struct Case {
  using Backend = B;
  using Storage = T;
  using Compute = Compute_;
};

template <class Case>
class Epilogues : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Epilogues);

#define HALFSTEP_TEST_EPILOGUE(check, ...)                        \
  check<typename TypeParam::Backend, typename TypeParam::Compute, \
        typename TypeParam::Storage __VA_OPT__(, ) __VA_ARGS__>

TYPED_TEST_P(Epilogues, GeluIsWithinItsBound) {
  for (const bool transpose_b : {false, true})
    for (const bool has_bias : {false, true}) {
      HALFSTEP_TEST_EPILOGUE(gelu)(problem_of(37, 21, 53, transpose_b), has_bias);
      HALFSTEP_TEST_EPILOGUE(gelu)(problem_of(64, 96, 32, transpose_b), has_bias);
    }
}
TYPED_TEST_P(Epilogues, TheGradientBehindGeluAndTheBiasesAreWithinTheirBounds) {
  for (const bool add : {false, true}) {
    HALFSTEP_TEST_EPILOGUE(backward, Gelu)(problem_of(37, 21, 53, false), add);
    HALFSTEP_TEST_EPILOGUE(backward, Gelu)(problem_of(64, 96, 32, true), add);
  }
}
TYPED_TEST_P(Epilogues, TheGradientBehindReluAndTheBiasesAreWithinTheirBounds) {
  for (const bool add : {false, true}) {
    HALFSTEP_TEST_EPILOGUE(backward, Relu)(problem_of(37, 21, 53, false), add);
    HALFSTEP_TEST_EPILOGUE(backward, Relu)(problem_of(64, 96, 32, true), add);
  }
}
TYPED_TEST_P(Epilogues, TheGradientsOfAWeightAndItsBiasAreWithinTheirBounds) {
  for (const bool transpose_a : {false, true})
    for (const bool add : {false, true}) {
      const hs::GemmProblem odd{.m = 37, .n = 21, .k = 53, .transpose_a = transpose_a};
      const hs::GemmProblem even{.m = 64, .n = 96, .k = 32, .transpose_a = transpose_a};
      HALFSTEP_TEST_EPILOGUE(bias_gradient)(odd, add);
      HALFSTEP_TEST_EPILOGUE(bias_gradient)(even, add);
    }
}
TYPED_TEST_P(Epilogues, LetNanThrough) { HALFSTEP_TEST_EPILOGUE(nan_comes_through)(); }

REGISTER_TYPED_TEST_SUITE_P(Epilogues, GeluIsWithinItsBound,
                            TheGradientBehindGeluAndTheBiasesAreWithinTheirBounds,
                            TheGradientBehindReluAndTheBiasesAreWithinTheirBounds,
                            TheGradientsOfAWeightAndItsBiasAreWithinTheirBounds, LetNanThrough);

}  // namespace epilogue_checks
