#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <limits>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's reduction must do.
namespace reduce_checks {

namespace hs = halfstep;
using hs::Index;
using hs::Reduction;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

struct Product {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a * b;
  }
};
struct Same {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a) const {
    return a;
  }
};

inline const hs::ReduceProblem problems[] = {
    {.outer = 1, .reduced = 1, .inner = 1},     {.outer = 3, .reduced = 5, .inner = 7},
    {.outer = 1, .reduced = 128, .inner = 10},  {.outer = 1, .reduced = 300, .inner = 1000},
    {.outer = 900, .reduced = 10, .inner = 1},  {.outer = 2, .reduced = 20000, .inner = 1},
    {.outer = 1, .reduced = 10000, .inner = 3}, {.outer = 4, .reduced = 1, .inner = 9},
    {.outer = 2, .reduced = 4097, .inner = 33}};

template <class Case>
class Reduce : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Reduce);

TYPED_TEST_P(Reduce, SumsWithinTheErrorOfItsTree) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (hs::ReduceProblem p : problems)
    for (const bool accumulate : {false, true}) {
      p.scale = 0.75;
      p.accumulate = accumulate;
      const auto a = numbers::normal_numbers<T>(p.outer * p.reduced * p.inner, 1);
      const auto b = numbers::normal_numbers<T>(p.outer * p.reduced * p.inner, 2);
      const auto before = numbers::normal_numbers<T>(p.outer * p.inner, 3);
      auto exact = numbers::as_double(before);
      auto magnitude = numbers::as_double(before, true);
      const auto wide_a = numbers::as_double(a, true), wide_b = numbers::as_double(b, true);
      const auto there_a = on_device<B>(a), there_b = on_device<B>(b);
      auto sums = on_device<B>(before);
      B::template reduce<Reduction::sum>(p, Product{}, sums.data(), there_a.data(), there_b.data());
      const auto got = on_host<B>(sums);
      Reference::reduce<Reduction::sum>(p, Product{}, exact.data(), numbers::as_double(a).data(),
                                        numbers::as_double(b).data());
      Reference::reduce<Reduction::sum>(p, Product{}, magnitude.data(), wide_a.data(),
                                        wide_b.data());
      const double u = hs::numeric_traits<hs::Compute<T>>::unit_roundoff;
      const double u_out = hs::numeric_traits<T>::unit_roundoff;
      // A block of 4096 runs over at least 16 lanes or in runs of 64, a thread takes at most 128
      // of a piece; then blocks or pieces, product, scale.
      const double terms = static_cast<double>(std::min<Index>(p.reduced, 256)) + 32.0;
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_LE(std::fabs(hs::storage_cast<double>(got[i]) - exact[i]),
                  u_out * std::fabs(exact[i]) + (1 + u_out) * terms * u * magnitude[i])
            << p.outer << " " << p.reduced << " " << p.inner << " at " << i;
    }
}

TYPED_TEST_P(Reduce, FindsTheExactExtremes) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const hs::ReduceProblem& p : problems) {
    const auto x = numbers::normal_numbers<T>(p.outer * p.reduced * p.inner, 1);
    const auto there = on_device<B>(x);
    std::vector<T> expected(static_cast<std::size_t>(p.outer * p.inner));
    hs::TensorOf<T, B> got(hs::Shape{p.outer * p.inner});
    B::template reduce<Reduction::max>(p, Same{}, got.data(), there.data());
    Reference::reduce<Reduction::max>(p, Same{}, expected.data(), x.data());
    EXPECT_EQ(numbers::as_double(on_host<B>(got)), numbers::as_double(expected));
    B::template reduce<Reduction::min>(p, Same{}, got.data(), there.data());
    Reference::reduce<Reduction::min>(p, Same{}, expected.data(), x.data());
    EXPECT_EQ(numbers::as_double(on_host<B>(got)), numbers::as_double(expected));
  }
}

TYPED_TEST_P(Reduce, TakesNothingForZeroAndLetsNanThrough) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  auto out = on_device<B>(std::vector<T>(3, hs::storage_cast<T>(5.0f)));
  std::vector<T> x(60, hs::storage_cast<T>(1.0f));
  const auto ones = on_device<B>(x);
  B::template reduce<Reduction::sum>({.reduced = 0, .inner = 3}, Same{}, out.data(), ones.data());
  EXPECT_EQ(as_double(on_host<B>(out)), std::vector<double>(3));
  x[37] = hs::storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
  const auto spoilt = on_device<B>(x);
  B::template reduce<Reduction::max>({.outer = 3, .reduced = 20}, Same{}, out.data(),
                                     spoilt.data());
  const auto largest = as_double(on_host<B>(out));
  EXPECT_EQ(largest[0], 1.0);
  EXPECT_TRUE(std::isnan(largest[1]));
}

TYPED_TEST_P(Reduce, SumsManyOnesExactly) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  const auto ones = on_device<B>(std::vector<T>(100000, hs::storage_cast<T>(1.0f)));
  hs::TensorOf<hs::Compute<T>, B> sum(hs::Shape{1});
  B::template reduce<Reduction::sum>({.reduced = 100000}, Same{}, sum.data(), ones.data());
  EXPECT_EQ(on_host<B>(sum)[0], hs::Compute<T>(100000));
}

REGISTER_TYPED_TEST_SUITE_P(Reduce, SumsWithinTheErrorOfItsTree, FindsTheExactExtremes,
                            TakesNothingForZeroAndLetsNanThrough, SumsManyOnesExactly);

}  // namespace reduce_checks
