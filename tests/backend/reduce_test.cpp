#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <limits>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::Reduction;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace {

struct Product {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a * b;
  }
};
struct Same {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a) const {
    return a;
  }
};

template <class T>
class Reduce : public testing::Test {};
TYPED_TEST_SUITE(Reduce, numbers::StorageTypes);

const hs::ReduceProblem problems[] = {
    {.outer = 1, .reduced = 1, .inner = 1},     {.outer = 3, .reduced = 5, .inner = 7},
    {.outer = 1, .reduced = 128, .inner = 10},  {.outer = 1, .reduced = 300, .inner = 1000},
    {.outer = 900, .reduced = 10, .inner = 1},  {.outer = 2, .reduced = 20000, .inner = 1},
    {.outer = 1, .reduced = 10000, .inner = 3}, {.outer = 4, .reduced = 1, .inner = 9},
    {.outer = 2, .reduced = 4097, .inner = 33}};

}  // namespace

TYPED_TEST(Reduce, SumsWithinTheErrorOfItsTree) {
  using T = TypeParam;
  for (hs::ReduceProblem p : problems)
    for (const bool accumulate : {false, true}) {
      p.scale = 0.75;
      p.accumulate = accumulate;
      const auto a = numbers::normal_numbers<T>(p.outer * p.reduced * p.inner, 1);
      const auto b = numbers::normal_numbers<T>(p.outer * p.reduced * p.inner, 2);
      auto got = numbers::normal_numbers<T>(p.outer * p.inner, 3);
      auto exact = numbers::as_double(got);
      auto magnitude = numbers::as_double(got, true);
      const auto wide_a = numbers::as_double(a, true), wide_b = numbers::as_double(b, true);
      CpuLoops::reduce<Reduction::sum>(p, Product{}, got.data(), a.data(), b.data());
      Reference::reduce<Reduction::sum>(p, Product{}, exact.data(), numbers::as_double(a).data(),
                                        numbers::as_double(b).data());
      Reference::reduce<Reduction::sum>(p, Product{}, magnitude.data(), wide_a.data(),
                                        wide_b.data());
      const double u = hs::numeric_traits<hs::Compute<T>>::unit_roundoff;
      const double u_out = hs::numeric_traits<T>::unit_roundoff;
      // A block of 4096 runs over at least 16 lanes or in runs of 64; then blocks, product, scale.
      const double terms = static_cast<double>(std::min<Index>(p.reduced, 256)) + 32.0;
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_LE(std::fabs(hs::storage_cast<double>(got[i]) - exact[i]),
                  u_out * std::fabs(exact[i]) + (1 + u_out) * terms * u * magnitude[i])
            << p.outer << " " << p.reduced << " " << p.inner << " at " << i;
    }
}

TYPED_TEST(Reduce, FindsTheExactExtremes) {
  using T = TypeParam;
  for (const hs::ReduceProblem& p : problems) {
    const auto x = numbers::normal_numbers<T>(p.outer * p.reduced * p.inner, 1);
    std::vector<T> got(static_cast<std::size_t>(p.outer * p.inner)), expected(got);
    CpuLoops::reduce<Reduction::max>(p, Same{}, got.data(), x.data());
    Reference::reduce<Reduction::max>(p, Same{}, expected.data(), x.data());
    EXPECT_EQ(numbers::as_double(got), numbers::as_double(expected));
    CpuLoops::reduce<Reduction::min>(p, Same{}, got.data(), x.data());
    Reference::reduce<Reduction::min>(p, Same{}, expected.data(), x.data());
    EXPECT_EQ(numbers::as_double(got), numbers::as_double(expected));
  }
}

TYPED_TEST(Reduce, TakesNothingForZeroAndLetsNanThrough) {
  using T = TypeParam;
  std::vector<T> out(3, hs::storage_cast<T>(5.0f));
  std::vector<T> x(60, hs::storage_cast<T>(1.0f));
  CpuLoops::reduce<Reduction::sum>({.reduced = 0, .inner = 3}, Same{}, out.data(), x.data());
  for (const T& value : out) EXPECT_EQ(hs::storage_cast<double>(value), 0.0);
  x[37] = hs::storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
  CpuLoops::reduce<Reduction::max>({.outer = 3, .reduced = 20}, Same{}, out.data(), x.data());
  EXPECT_EQ(hs::storage_cast<double>(out[0]), 1.0);
  EXPECT_TRUE(std::isnan(hs::storage_cast<double>(out[1])));
}

TYPED_TEST(Reduce, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto x = numbers::normal_numbers<T>(400000, 1);
  for (const hs::ReduceProblem& p :
       {hs::ReduceProblem{.reduced = 400000}, hs::ReduceProblem{.reduced = 400, .inner = 1000},
        hs::ReduceProblem{.outer = 1000, .reduced = 400},
        hs::ReduceProblem{.reduced = 40000, .inner = 10}})
    numbers::expect_same_bits_for_any_threads([&] {
      std::vector<float> out(static_cast<std::size_t>(p.outer * p.inner));
      if constexpr (!std::is_same_v<T, double>)
        CpuLoops::reduce<Reduction::sum>(p, Same{}, out.data(), x.data());
      return out;
    });
}

TEST(ReduceRows, SumsMany16BitOnesExactly) {
  const std::vector<hs::bfloat16> ones(100000, hs::bfloat16(1.0f));
  float sum = 0.0f;
  CpuLoops::reduce<Reduction::sum>({.reduced = 100000}, Same{}, &sum, ones.data());
  EXPECT_EQ(sum, 100000.0f);
}
