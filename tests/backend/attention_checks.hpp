#pragma once

#include <halfstep/backend/reference.hpp>

#include <limits>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What attention of a GPU's kernels must do: on tensor cores, and in plain loops.
namespace attention_checks {

namespace hs = halfstep;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;

/// Heads of two sequences and what attention and its backward make of them.
template <class T>
struct Heads {
  hs::AttentionProblem p;
  std::vector<T> q, k, v, upstream;
  bool add = false;

  Heads(Index queries, Index keys, Index width, bool causal, Index batch = 2, Index heads = 2) {
    p.batch = batch;
    p.heads = heads;
    p.queries = queries;
    p.keys = keys;
    p.width = width;
    p.scale = 1.0 / std::sqrt(static_cast<double>(width));
    p.causal = causal;
    // Heads side by side in rows, with something between them, and heads one after the other.
    const Index row = heads * width + 8;
    p.q = p.y = hs::HeadStrides::in_rows(queries, row, width);
    p.k = p.v = hs::HeadStrides::apart(heads, keys, width);
    q = numbers::normal_numbers<T>(batch * queries * row, 1);
    upstream = numbers::normal_numbers<T>(batch * queries * row, 4);
    k = numbers::normal_numbers<T>(batch * heads * keys * width, 2);
    v = numbers::normal_numbers<T>(batch * heads * keys * width, 3);
  }

  template <class S>
  struct Results {
    std::vector<S> y, q, k, v;
    std::vector<hs::Compute<S>> log_sum;
  };
  template <class B, class S>
  Results<S> forward() const {
    const auto from_q = there<B, S>(q), from_k = there<B, S>(k), from_v = there<B, S>(v);
    auto y = on_device<B>(std::vector<S>(q.size(), S(1.0f)));
    hs::TensorOf<hs::Compute<S>, B> log_sum(hs::Shape{p.batch * p.heads * p.queries});
    B::attention(p, from_q.data(), from_k.data(), from_v.data(), y.data(), log_sum.data());
    Results<S> results;
    results.y = on_host<B>(y);
    results.log_sum = on_host<B>(log_sum);
    return results;
  }
  /// From the same y and log_sum for all, so that each pass is judged by itself; what is not wanted
  /// comes back as it was.
  template <class B, class S, class Forward>
  Results<S> backward(const Forward& forward, bool of_q = true, bool of_k = true,
                      bool of_v = true) const {
    const auto from_q = there<B, S>(q), from_k = there<B, S>(k), from_v = there<B, S>(v);
    const auto y = there<B, S>(forward.y), g = there<B, S>(upstream);
    const auto log_sum =
        on_device<B>(std::vector<hs::Compute<S>>(forward.log_sum.begin(), forward.log_sum.end()));
    auto to_q = on_device<B>(std::vector<S>(q.size(), S(2.0f)));
    auto to_k = on_device<B>(std::vector<S>(k.size(), S(2.0f)));
    auto to_v = on_device<B>(std::vector<S>(v.size(), S(2.0f)));
    B::attention_backward(
        p, from_q.data(), from_k.data(), from_v.data(), y.data(), log_sum.data(), g.data(),
        hs::AttentionGradients<S>{of_q ? to_q.data() : nullptr, of_k ? to_k.data() : nullptr,
                                  of_v ? to_v.data() : nullptr, add, add, add});
    Results<S> results;
    results.q = on_host<B>(to_q);
    results.k = on_host<B>(to_k);
    results.v = on_host<B>(to_v);
    return results;
  }

  template <class B, class S, class From>
  static hs::TensorOf<S, B> there(const std::vector<From>& from) {
    return on_device<B>(as<S>(from));
  }
  template <class S, class From>
  static std::vector<S> as(const std::vector<From>& from) {
    std::vector<S> to;
    to.reserve(from.size());
    for (const From& number : from) to.push_back(hs::storage_cast<S>(number));
    return to;
  }
};

/// How far a result may be from the definition, element by element, to first order: products in T,
/// whose sums are in FP32 as tensor cores keep them.
///
/// With s = scale |q|.|k| a score is off by (width + 6) u_acc s, and its weight by that times
/// itself, an ulp or two of exp2 and, in forward, the factors that it is scaled by later. A weight
/// and a slope are rounded to T, which errs by u, or below T's normal numbers by half the smallest.
/// A sum over n errs by n u_acc of its terms' magnitudes.
template <class T>
class Bounds {
 public:
  template <class Forward>
  Bounds(const Heads<T>& heads, const Forward& forward) : heads_(heads), p_(heads.p) {
    y = q = std::vector<double>(heads.q.size());
    k = v = std::vector<double>(heads.k.size());
    log_sum = std::vector<double>(forward.log_sum.size());
    for (Index b = 0; b < p_.batch; ++b)
      for (Index h = 0; h < p_.heads; ++h)
        for (Index i = 0; i < p_.queries; ++i) add_query(b, h, i, forward);
  }
  std::vector<double> y, log_sum, q, k, v;

 private:
  static constexpr double u = hs::numeric_traits<T>::unit_roundoff;
  static constexpr double u_acc = hs::numeric_traits<T>::is_16_bit ? 0x1p-22 : 0x1p-24;
  static constexpr double least = hs::numeric_traits<T>::min_subnormal / 2;
  // Stored in FP32 a weight is not rounded.
  static constexpr double u_weight = hs::numeric_traits<T>::is_16_bit ? u : 0.0;

  static double at(const std::vector<T>& x, Index i) {
    return hs::storage_cast<double>(x[static_cast<std::size_t>(i)]);
  }
  static double& at(std::vector<double>& x, Index i) { return x[static_cast<std::size_t>(i)]; }

  template <class Forward>
  void add_query(Index b, Index h, Index i, const Forward& forward) {
    const auto width = static_cast<double>(p_.width), keys = static_cast<double>(p_.keys),
               queries = static_cast<double>(p_.queries);
    const Index from_q = p_.q(b, h) + i * p_.q.time, from_y = p_.y(b, h) + i * p_.y.time;
    const Index row = (b * p_.heads + h) * p_.queries + i;
    const auto log_sum_of_row = static_cast<double>(forward.log_sum[static_cast<std::size_t>(row)]);
    double shared = 0, shared_magnitude = 0;
    for (Index d = 0; d < p_.width; ++d) {
      const double g = at(heads_.upstream, from_y + d);
      const double product = g * at(forward.y, from_y + d);
      shared += product;
      shared_magnitude += std::fabs(product);
    }
    double worst = 0;
    for (Index j = 0; j < p_.seen(i); ++j) {
      const Index from_k = p_.k(b, h) + j * p_.k.time, from_v = p_.v(b, h) + j * p_.v.time;
      double score = 0, magnitude = 0, product = 0, product_magnitude = 0;
      for (Index d = 0; d < p_.width; ++d) {
        const double term = at(heads_.q, from_q + d) * at(heads_.k, from_k + d);
        score += term;
        magnitude += std::fabs(term);
        const double other = at(heads_.upstream, from_y + d) * at(heads_.v, from_v + d);
        product += other;
        product_magnitude += std::fabs(other);
      }
      const double off = (width + 6) * u_acc * std::fabs(p_.scale) * magnitude;
      worst = std::max(worst, off);
      const double probability = std::exp(p_.scale * score - log_sum_of_row);
      const double in_forward = 2 * std::expm1(off) + (keys / 4 + 16 + keys) * u_acc;
      const double in_backward = std::expm1(off) + (3 * std::fabs(log_sum_of_row) + 8) * 0x1p-24;
      const double slope = std::fabs(probability * (product - shared));
      const double slope_off =
          (in_backward + 4 * u_acc) * slope +
          probability * (width + 2) * (u_acc * product_magnitude + u_acc * shared_magnitude);
      for (Index d = 0; d < p_.width; ++d) {
        const double of_v = std::fabs(at(heads_.v, from_v + d));
        const double of_g = std::fabs(at(heads_.upstream, from_y + d));
        const double of_q = std::fabs(at(heads_.q, from_q + d));
        const double of_k = std::fabs(at(heads_.k, from_k + d));
        at(y, from_y + d) += ((u_weight + in_forward) * probability + least) * of_v;
        at(v, from_v + d) +=
            ((u_weight + in_backward + queries * u_acc) * probability + least) * of_g;
        at(q, from_q + d) +=
            std::fabs(p_.scale) * (slope_off + (u_weight + keys * u_acc) * slope + least) * of_k;
        at(k, from_k + d) +=
            std::fabs(p_.scale) * (slope_off + (u_weight + queries * u_acc) * slope + least) * of_q;
      }
    }
    at(log_sum, row) = worst + (2 * keys + 16 + 4 * std::fabs(log_sum_of_row)) * u_acc;
  }

  const Heads<T>& heads_;
  const hs::AttentionProblem& p_;
};

/// |got - exact| <= u |exact| + (1 + 2 u) bound; 2 u for what is of second order.
template <class Got>
void expect_within(const char* what, const std::vector<Got>& got, const std::vector<double>& exact,
                   const std::vector<double>& bound, double u) {
  ASSERT_EQ(got.size(), exact.size());
  double closest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double may =
        u * std::fabs(exact[i]) + (1 + 2 * u) * bound[i] + hs::numeric_traits<Got>::min_subnormal;
    const double is = std::fabs(hs::storage_cast<double>(got[i]) - exact[i]);
    ASSERT_LE(is, may) << what << " " << i << " of " << got.size() << ": " << exact[i];
    closest = std::max(closest, is / may);
  }
  testing::Test::RecordProperty(what, std::to_string(closest));
}

template <class B, class T>
void expect_defined(const Heads<T>& heads) {
  SCOPED_TRACE(testing::Message() << heads.p.queries << " queries, " << heads.p.keys << " keys, "
                                  << heads.p.width << " wide"
                                  << (heads.p.causal ? ", causal" : ""));
  constexpr double u = hs::numeric_traits<T>::unit_roundoff;
  const auto got = heads.template forward<B, T>();
  const auto exact = heads.template forward<Reference, double>();
  const Bounds<T> bounds(heads, got);
  expect_within("y", got.y, exact.y, bounds.y, u);
  expect_within("log_sum", got.log_sum, exact.log_sum, bounds.log_sum, u);
  const auto gradients = heads.template backward<B, T>(got);
  const auto exact_gradients = heads.template backward<Reference, double>(got);
  expect_within("dq", gradients.q, exact_gradients.q, bounds.q, u);
  expect_within("dk", gradients.k, exact_gradients.k, bounds.k, u);
  expect_within("dv", gradients.v, exact_gradients.v, bounds.v, u);
}

template <class Case>
class Attention : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {
 protected:
  using B = typename Case::Backend;
  using T = typename Case::Storage;
};
TYPED_TEST_SUITE_P(Attention);

TYPED_TEST_P(Attention, IsWithinItsBoundOfTheDefinition) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index width : {16, 40, 64, 96, 128, 200})
    for (const Index time : {1, 17, 64, 100})
      for (const bool causal : {false, true})
        expect_defined<B>(Heads<T>(time, time, width, causal, 1));
}

TYPED_TEST_P(Attention, OfManyTilesIsWithinItsBound) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index width : {40, 128})
    for (const bool causal : {false, true})
      expect_defined<B>(Heads<T>(257, 257, width, causal, 1, 1));
}

TYPED_TEST_P(Attention, ReadsRowsOfAnyAlignment) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index width : {1, 5, 20, 68}) expect_defined<B>(Heads<T>(70, 70, width, true));
  Heads<T> heads(65, 65, 16, false);
  heads.p.q.time += 1;
  heads.q = heads.upstream = numbers::normal_numbers<T>(2 * 65 * (2 * 16 + 9), 7);
  heads.p.q.batch = heads.p.y.batch = 65 * (2 * 16 + 9);
  heads.p.y.time = heads.p.q.time;
  expect_defined<B>(heads);
}

TYPED_TEST_P(Attention, OfOneSequenceToAnotherIsWithinItsBound) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const bool causal : {false, true}) {
    expect_defined<B>(Heads<T>(20, 130, 24, causal));
    expect_defined<B>(Heads<T>(130, 20, 24, causal));
    expect_defined<B>(Heads<T>(1, 90, 72, causal));
  }
}

TYPED_TEST_P(Attention, TakesAnyScale) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const double scale : {-0.25, 0.0, 1.0}) {
    Heads<T> heads(40, 40, 16, true);
    heads.p.scale = scale;
    expect_defined<B>(heads);
  }
}

TYPED_TEST_P(Attention, AddsToGradients) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index width : {24, 72}) {
    Heads<T> heads(70, 70, width, true);
    heads.add = true;
    expect_defined<B>(heads);
  }
}

TYPED_TEST_P(Attention, HasTheSameBitsInEveryRun) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  const Heads<T> heads(100, 100, 24, true);
  const auto forward = heads.template forward<B, T>();
  EXPECT_TRUE((heads.template forward<B, T>().y == forward.y));
  const auto backward = heads.template backward<B, T>(forward);
  const auto again = heads.template backward<B, T>(forward);
  EXPECT_TRUE(again.q == backward.q);
  EXPECT_TRUE(again.k == backward.k);
  EXPECT_TRUE(again.v == backward.v);
}

TYPED_TEST_P(Attention, WritesTheGradientsThatAreAskedFor) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  const Heads<T> heads(70, 70, 24, true);
  const auto forward = heads.template forward<B, T>();
  const auto all = heads.template backward<B, T>(forward);
  const std::vector<T> kept_q(all.q.size(), T(2.0f)), kept(all.k.size(), T(2.0f));
  for (int only = 0; only < 3; ++only) {
    const auto one = heads.template backward<B, T>(forward, only == 0, only == 1, only == 2);
    EXPECT_TRUE(one.q == (only == 0 ? all.q : kept_q)) << only;
    EXPECT_TRUE(one.k == (only == 1 ? all.k : kept)) << only;
    EXPECT_TRUE(one.v == (only == 2 ? all.v : kept)) << only;
  }
}

TYPED_TEST_P(Attention, KeepsNan) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index time : {0, 70, 99}) {
    Heads<T> heads(100, 100, 16, true, 1, 1);
    const auto at = static_cast<std::size_t>(time * heads.p.q.time);
    heads.q[at] = T(std::numeric_limits<float>::quiet_NaN());
    const auto forward = heads.template forward<B, T>();
    const auto backward = heads.template backward<B, T>(forward);
    EXPECT_TRUE(std::isnan(hs::to_float(forward.y[at]))) << time;
    EXPECT_TRUE(std::isnan(forward.log_sum[static_cast<std::size_t>(time)])) << time;
    EXPECT_TRUE(std::isnan(hs::to_float(backward.q[at]))) << time;
    EXPECT_TRUE(std::isnan(hs::to_float(backward.k[0]))) << "every query sees key 0";
    EXPECT_TRUE(std::isnan(hs::to_float(backward.v[0]))) << "every query sees key 0";
  }
}

TYPED_TEST_P(Attention, GivesKeysWithoutAScoreNoWeight) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  // Key j's score is its first element; the scores of more than a tile are -inf.
  constexpr float none = -std::numeric_limits<float>::infinity();
  for (const bool all : {false, true}) {
    Heads<T> heads(3, 100, 16, false, 1, 1);
    for (std::size_t i = 0; i < heads.q.size(); ++i)
      heads.q[i] = T(static_cast<Index>(i) % heads.p.q.time == 0 ? 1.0f : 0.0f);
    for (std::size_t j = 0; j < (all ? 100 : 70); ++j) heads.k[16 * j] = T(none);
    const auto got = heads.template forward<B, T>();
    const auto exact = heads.template forward<Reference, double>();
    for (std::size_t d = 0; d < 16; ++d) {
      const double found = hs::storage_cast<double>(got.y[d]);
      if (all) {
        EXPECT_TRUE(std::isnan(exact.y[d]));
        EXPECT_TRUE(std::isnan(found));
      } else {
        // A rounding of each weight, one of the result, and those of sums of a hundred.
        const double u = hs::numeric_traits<T>::unit_roundoff + 116 * 0x1p-22;
        EXPECT_NEAR(found, exact.y[d],
                    2 * (1 + u) * u * numbers::largest(numbers::as_double(heads.v)));
      }
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(Attention, IsWithinItsBoundOfTheDefinition, OfManyTilesIsWithinItsBound,
                            ReadsRowsOfAnyAlignment, OfOneSequenceToAnotherIsWithinItsBound,
                            TakesAnyScale, AddsToGradients, HasTheSameBitsInEveryRun,
                            WritesTheGradientsThatAreAskedFor, KeepsNan,
                            GivesKeysWithoutAScoreNoWeight);

}  // namespace attention_checks
