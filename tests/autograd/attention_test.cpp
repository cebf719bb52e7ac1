#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/attention.hpp>
#include <halfstep/autograd/matmul.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/test_device.hpp>

#include <cmath>
#include <limits>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

/// Our own loops, with no product of a vendor beside them.
struct Loops : hs::backend::CpuLoops {
  static constexpr std::string_view name = "loops";
};

TEST(Attention, Gradients) {
  for (const bool causal : {false, true})
    for (const Index time : {1, 2, 5}) {
      SCOPED_TRACE(testing::Message() << time << (causal ? " causal" : ""));
      const auto at = [&](std::uint64_t seed) { return sample<double>({2, time, 3}, seed); };
      expect_gradients([&](const Exact& q, const Exact& k,
                           const Exact& v) { return hs::attention(q, k, v, {.causal = causal}); },
                       at(1), at(2), at(3));
    }
}

TEST(Attention, GradientsWhereKeysAreMoreOrFewerThanQueries) {
  for (const bool causal : {false, true})
    for (const Index keys : {1, 7})
      expect_gradients(
          [&](const Exact& q, const Exact& k, const Exact& v) {
            return hs::attention(q, k, v, {.causal = causal, .scale = 0.7});
          },
          sample<double>({1, 3, 2}, 1), sample<double>({1, keys, 2}, 2),
          sample<double>({1, keys, 2}, 3));
}

TEST(Attention, GradientsOfOneVariableThatIsQueryKeyAndValueAddUp) {
  expect_gradients([](const Exact& x) { return hs::attention(x, x, x, {.causal = true}); },
                   sample<double>({2, 4, 3}, 4));
  expect_gradients(
      [](const Exact& x) { return hs::attention(x, 2, {.causal = true}) * hs::slice(x, 2, 0, 4); },
      sample<double>({2, 3, 12}, 5));
}

TEST(Attention, IsTheSoftmaxOfScaledScoresTimesTheValues) {
  const Exact q = sample<double>({2, 5, 4}, 1), k = sample<double>({2, 6, 4}, 2),
              v = sample<double>({2, 6, 4}, 3);
  const auto expected =
      to_doubles(hs::matmul(hs::softmax(hs::matmul(q, k, {.b = true}) * 0.5), v).value());
  const auto got = to_doubles(hs::attention(q, k, v).value());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-14);
}

TEST(Attention, ACausalQuerySeesNothingLater) {
  const auto q = sample<double>({1, 6, 4}, 1);
  auto k = sample<double>({1, 6, 4}, 2);
  const auto v = sample<double>({1, 6, 4}, 3);
  const auto before = to_doubles(hs::attention(Exact(q), Exact(k), Exact(v), {true}).value());
  for (Index i = 4 * 4; i < k.size(); ++i) k.data()[i] = 1e3;
  const auto after = to_doubles(hs::attention(Exact(q), Exact(k), Exact(v), {true}).value());
  for (std::size_t i = 0; i < 4 * 4; ++i) EXPECT_EQ(before[i], after[i]);
  EXPECT_NE(before.back(), after.back());
}

TEST(Attention, OneProjectionGivesWhatItsPartsGive) {
  using V = hs::Variable<float, Loops>;
  const Index heads = 3, width = 12;
  const auto qkv = sample<float>({2, 7, 3 * width}, 1);
  const auto part = [&](Index which) {
    const V third = hs::slice(V(qkv), 2, which * width, width);
    return hs::transpose(hs::reshape(third, {2, 7, heads, width / heads}), 1, 2);
  };
  const V apart = hs::attention(part(0), part(1), part(2), {.causal = true});
  const V together = hs::attention(V(qkv), heads, {.causal = true});
  EXPECT_EQ(to_doubles(hs::reshape(hs::transpose(apart, 1, 2), {2, 7, width}).value()),
            to_doubles(together.value()));
}

/// Forward and backward of [heads, time, width] on a backend: y, dq, dk, dv.
template <class T, class B>
std::vector<std::vector<double>> all_of(Index time, Index keys, Index width, bool causal) {
  using V = hs::Variable<T, B>;
  const V q = V::leaf(hs::test::converted<T>(sample<hs::bfloat16>({3, time, width}, 1)));
  const V k = V::leaf(hs::test::converted<T>(sample<hs::bfloat16>({3, keys, width}, 2)));
  const V v = V::leaf(hs::test::converted<T>(sample<hs::bfloat16>({3, keys, width}, 3)));
  const V y = hs::attention(q, k, v, {.causal = causal});
  propagate_ones(y);
  return {to_doubles(y.value()), to_doubles(q.gradient()), to_doubles(k.gradient()),
          to_doubles(v.gradient())};
}

// Numbers are within [-2, 2] and G is 1, so |s| <= 4 sqrt(width) = spread, |g . v| <= 2 width,
// |dS| <= 4 width scale. In units of FP32's roundoff a score is off by width + 2 times its largest,
// exp multiplies that and adds 4, and a sum over the keys adds their number.
TEST(Attention, TilesAreWithinTheirBoundOfTheDefinition) {
  struct Size {
    Index time, keys, width;
  };
  for (const bool causal : {false, true})
    for (const auto& [time, keys, width] :
         {Size{1, 1, 1}, Size{33, 33, 20}, Size{70, 300, 16}, Size{150, 129, 5}}) {
      SCOPED_TRACE(testing::Message() << time << " x " << keys << " x " << width);
      const auto exact = all_of<double, hs::backend::Reference>(time, keys, width, causal);
      const auto got = all_of<float, Loops>(time, keys, width, causal);
      const double w = static_cast<double>(width), n = static_cast<double>(time + keys);
      const double units =
          hs::numeric_traits<float>::unit_roundoff * ((w + 2) * 4 * std::sqrt(w) + 2 * n + 16);
      // What one unit moves: y's largest is 2; dQ sums P |dS| |k| over keys, dK over queries too.
      const double slope = 4 * w * 2 / std::sqrt(w);
      const double largest[] = {2.0, slope, slope * static_cast<double>(time),
                                static_cast<double>(time)};
      for (std::size_t part = 0; part < 4; ++part)
        for (std::size_t i = 0; i < got[part].size(); ++i)
          ASSERT_LE(std::fabs(got[part][i] - exact[part][i]), 2 * units * largest[part])
              << "array " << part << ", element " << i << ": " << exact[part][i];
    }
}

TEST(Attention, HasTheSameBitsForAnyNumberOfThreads) {
  const int before = hs::threads();
  hs::set_threads(1);
  const auto one = all_of<float, Loops>(70, 70, 16, true);
  hs::set_threads(3);
  EXPECT_EQ((all_of<float, Loops>(70, 70, 16, true)), one);
  hs::set_threads(before);
}

/// The most bytes that forward and backward hold at once, beyond what was there.
template <class B>
double peak_bytes(Index time) {
  auto& pool = hs::device::Cpu::pool();
  const std::size_t before = pool.use().in_use;
  pool.reset_peak();
  using V = hs::Variable<float, B>;
  const V qkv = V::leaf(sample<float>({1, time, 24}, 1));
  propagate_ones(hs::attention(qkv, 2, {.causal = true}));
  return static_cast<double>(pool.use().peak - before);
}

TEST(Attention, MemoryGrowsWithTheLengthAndNotItsSquare) {
  const int before = hs::threads();
  hs::set_threads(1);
  const double small = peak_bytes<Loops>(512);
  const double large = peak_bytes<Loops>(2048);
  // One head's scores alone would be 16 MiB.
  EXPECT_LT(large, 2048.0 * 2048.0 * 4.0 / 4.0);
  EXPECT_LE(large, 4.0 * small);
  hs::set_threads(before);
}

TEST(Attention, NanIsNotLost) {
  using V = hs::Variable<float, Loops>;
  for (const Index at : {0, 40, 79}) {
    auto q = sample<float>({1, 5, 16}, 1);
    q.data()[at] = std::numeric_limits<float>::quiet_NaN();
    const V y = hs::attention(V(q), V(sample<float>({1, 5, 16}, 2)),
                              V(sample<float>({1, 5, 16}, 3)), {.causal = true});
    EXPECT_TRUE(std::isnan(y.value().data()[at / 16 * 16])) << at;
  }
}

TEST(Attention, RunsOnTheTestDevice) {
  using B = hs::backend::Delayed;
  using V = hs::Variable<float, B>;
  const auto host = sample<float>({2, 3, 12}, 1);
  hs::TensorOf<float, B> device(host.shape()), ones(Shape{2, 3, 4});
  B::upload(host.span(), device.data());
  const std::vector<float> one(24, 1.0f);
  B::upload(std::span<const float>(one), ones.data());
  const V qkv = V::leaf(device);
  const auto waited = B::synchronizations();
  hs::autograd::propagate(hs::attention(qkv, 2, {.causal = true}), ones);
  EXPECT_EQ(B::synchronizations(), waited);
  std::vector<float> gradient(72);
  B::download(qkv.gradient().data(), std::span<float>(gradient));

  using R = hs::Variable<float, hs::backend::Reference>;
  const R expected = R::leaf(host);
  propagate_ones(hs::attention(expected, 2, {.causal = true}));
  EXPECT_EQ(gradient, std::vector<float>(expected.gradient().span().begin(),
                                         expected.gradient().span().end()));
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const Exact x = sample<double>({2, 3, 4}, 1);
  EXPECT_THROW(hs::attention(x, x, Exact(sample<double>({2, 4, 4}, 1))), hs::ShapeError);
  const Exact wide = sample<double>({2, 3, 5}, 1), others = sample<double>({3, 3, 4}, 1);
  EXPECT_THROW(hs::attention(x, wide, wide), hs::ShapeError);
  EXPECT_THROW(hs::attention(x, others, others), hs::ShapeError);
  EXPECT_THROW(hs::attention(x, 2), hs::ShapeError);
  EXPECT_THROW(hs::attention(x, 0), hs::ShapeError);
}

}  // namespace
