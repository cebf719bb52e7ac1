#include <gtest/gtest.h>

#if defined(HALFSTEP_ONEDNN)

#include <halfstep/backend/one_dnn.hpp>

#include "numbers.hpp"

#include <limits>

namespace hs = halfstep;
using hs::bfloat16;
using hs::Index;
using B = hs::backend::OneDnn;

namespace {

/// Three heads of two sequences, queries, keys and values side by side in one row, as a projection
/// leaves them; numbers within [-2, 2], every upstream gradient 1.
struct Heads {
  hs::AttentionProblem p;
  std::vector<bfloat16> x;

  Heads(Index time, Index width, bool causal) {
    p.batch = 2;
    p.heads = 3;
    p.queries = p.keys = time;
    p.width = width;
    p.scale = 1.0 / std::sqrt(static_cast<double>(width));
    p.causal = causal;
    p.q = p.k = p.v = hs::HeadStrides::in_rows(time, 3 * row(), width);
    p.y = hs::HeadStrides::in_rows(time, row(), width);
    x = numbers::normal_numbers<bfloat16>(3 * size(), 1);
    for (bfloat16& number : x)
      number = bfloat16(std::clamp(hs::storage_cast<float>(number), -2.0f, 2.0f));
  }
  Index row() const { return p.heads * p.width; }
  Index size() const { return p.batch * p.queries * row(); }

  /// y, and the gradients of q, k and v side by side.
  template <class Backend, class T>
  std::array<std::vector<T>, 2> run() const {
    std::vector<T> from;
    for (const bfloat16 number : x) from.push_back(hs::storage_cast<T>(number));
    const auto count = static_cast<std::size_t>(size());
    std::vector<T> y(count), gradient(3 * count);
    const std::vector<T> upstream(count, T(1.0f));
    using Scalar = typename hs::numeric_traits<T>::compute;
    std::vector<Scalar> log_sum(static_cast<std::size_t>(p.batch * p.heads * p.queries));
    const Index at = row();
    Backend::attention(p, from.data(), from.data() + at, from.data() + 2 * at, y.data(),
                       log_sum.data());
    Backend::attention_backward(
        p, from.data(), from.data() + at, from.data() + 2 * at, y.data(), log_sum.data(),
        upstream.data(),
        hs::AttentionGradients<T>{gradient.data(), gradient.data() + at, gradient.data() + 2 * at});
    return {y, gradient};
  }
};

// |q k| <= 4 width, |g . v| <= 2 width, so a slope is below 4 width scale times its probability. In
// units of FP32's roundoff a score is off by width + 2 times its largest, exp multiplies that and
// adds 4, and a sum over the keys adds their number. In units of BF16's roundoff y gains one from
// its weights and one from its store; a slope one from g . y, which reads y, and one from its own
// rounding, and a gradient one from its store.
TEST(AttentionProducts, InBfloat16AreWithinTheirBoundOfTheDefinition) {
  struct Size {
    Index time, width;
  };
  for (const bool causal : {false, true})
    for (const auto& [time, width] : {Size{1, 1}, Size{65, 20}, Size{150, 5}, Size{600, 16}}) {
      SCOPED_TRACE(testing::Message() << time << " x " << width << (causal ? " causal" : ""));
      const Heads heads(time, width, causal);
      const auto exact = heads.run<hs::backend::Reference, double>();
      const auto got = heads.run<B, bfloat16>();
      const auto w = static_cast<double>(width), n = static_cast<double>(time);
      const double units =
          hs::numeric_traits<float>::unit_roundoff * ((w + 2) * 4 * std::sqrt(w) + 2 * n + n + 16);
      const double u = hs::numeric_traits<bfloat16>::unit_roundoff;
      const double y_error = 2.0 * (2 * u + 2 * units);
      // Of one query's slopes times keys of up to 2; a key's slopes come from every query.
      const double largest = 4 * w * heads.p.scale * 2.0;
      const double slope_error = w * y_error / (4 * w) + u + 2 * units;
      for (std::size_t i = 0; i < got[0].size(); ++i)
        ASSERT_LE(std::fabs(hs::storage_cast<double>(got[0][i]) - exact[0][i]), y_error) << i;
      for (std::size_t i = 0; i < got[1].size(); ++i) {
        const Index part = static_cast<Index>(i) % (3 * heads.row()) / heads.row();
        const double size = part == 0 ? largest : part == 1 ? n * largest : n;
        const double error = part == 2 ? u + 2 * units : slope_error;
        ASSERT_LE(std::fabs(hs::storage_cast<double>(got[1][i]) - exact[1][i]),
                  u * std::fabs(exact[1][i]) + (1 + u) * error * size)
            << "gradient " << i << ": " << exact[1][i];
      }
    }
}

TEST(AttentionProducts, InBfloat16HaveTheSameBitsForAnyNumberOfThreads) {
  const Heads heads(100, 16, true);
  numbers::expect_same_bits_for_any_threads([&] {
    auto [y, gradient] = heads.run<B, bfloat16>();
    y.insert(y.end(), gradient.begin(), gradient.end());
    return y;
  });
}

TEST(AttentionProducts, InBfloat16KeepNan) {
  for (const Index time : {0, 70, 99}) {
    Heads heads(100, 16, true);
    heads.x[static_cast<std::size_t>(time * 3 * heads.row())] =
        bfloat16(std::numeric_limits<float>::quiet_NaN());
    const auto result = heads.run<B, bfloat16>();
    const auto at = static_cast<std::size_t>(time * heads.row());
    EXPECT_TRUE(std::isnan(hs::storage_cast<float>(result[0][at]))) << time;
    EXPECT_TRUE(std::isnan(hs::storage_cast<float>(result[1][3 * at]))) << time;
  }
}

/// The most bytes that forward and backward hold at once.
double peak_bytes(Index time) {
  auto& pool = hs::device::Cpu::pool();
  const Heads heads(time, 8, true);
  const std::size_t before = pool.use().in_use;
  pool.reset_peak();
  heads.run<B, bfloat16>();
  return static_cast<double>(pool.use().peak - before);
}

TEST(AttentionProducts, NeverHoldAHeadsScores) {
  const int before = hs::threads();
  hs::set_threads(1);
  EXPECT_LE(peak_bytes(2048), 4.0 * peak_bytes(512));
  EXPECT_LT(peak_bytes(2048), 2048.0 * 2048.0);
  hs::set_threads(before);
}

}  // namespace

#else

TEST(AttentionProducts, AreOurOwnInThisBuild) { GTEST_SKIP() << "halfstep::onednn is not linked"; }

#endif
