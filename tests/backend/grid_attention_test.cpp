// Attention of a GPU's kernels, run on the host, against its definition in double.
#include <halfstep/backend/grid/host_grid.hpp>

#include <limits>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::bfloat16;
using hs::float16;
using hs::Index;

namespace {

using Grid = hs::backend::HostGrid;
using Reference = hs::backend::Reference;

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
    using Scalar = typename hs::numeric_traits<S>::compute;
    std::vector<S> y, q, k, v;
    std::vector<Scalar> log_sum;
  };
  template <class Backend, class S>
  Results<S> forward() const {
    Results<S> to;
    to.y.assign(q.size(), S(1.0f));
    to.log_sum.resize(static_cast<std::size_t>(p.batch * p.heads * p.queries));
    const auto from_q = as<S>(q), from_k = as<S>(k), from_v = as<S>(v);
    Backend::attention(p, from_q.data(), from_k.data(), from_v.data(), to.y.data(),
                       to.log_sum.data());
    return to;
  }
  /// From the same y and log_sum for all, so that each pass is judged by itself.
  template <class Backend, class S, class Forward>
  Results<S> backward(const Forward& forward) const {
    Results<S> to;
    to.q.assign(q.size(), S(2.0f));
    to.k.assign(k.size(), S(2.0f));
    to.v.assign(v.size(), S(2.0f));
    to.y = as<S>(forward.y);
    to.log_sum.assign(forward.log_sum.begin(), forward.log_sum.end());
    const auto from_q = as<S>(q), from_k = as<S>(k), from_v = as<S>(v), g = as<S>(upstream);
    Backend::attention_backward(
        p, from_q.data(), from_k.data(), from_v.data(), to.y.data(), to.log_sum.data(), g.data(),
        hs::AttentionGradients<S>{to.q.data(), to.k.data(), to.v.data(), add, add, add});
    return to;
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
      const double off = (width + 6) * u_acc * p_.scale * magnitude;
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
            p_.scale * (slope_off + (u_weight + keys * u_acc) * slope + least) * of_k;
        at(k, from_k + d) +=
            p_.scale * (slope_off + (u_weight + queries * u_acc) * slope + least) * of_q;
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

template <class T>
void expect_defined(const Heads<T>& heads) {
  SCOPED_TRACE(testing::Message() << heads.p.queries << " queries, " << heads.p.keys << " keys, "
                                  << heads.p.width << " wide"
                                  << (heads.p.causal ? ", causal" : ""));
  constexpr double u = hs::numeric_traits<T>::unit_roundoff;
  const auto got = heads.template forward<Grid, T>();
  const auto exact = heads.template forward<Reference, double>();
  const Bounds<T> bounds(heads, got);
  expect_within("y", got.y, exact.y, bounds.y, u);
  expect_within("log_sum", got.log_sum, exact.log_sum, bounds.log_sum, u);
  const auto gradients = heads.template backward<Grid, T>(got);
  const auto exact_gradients = heads.template backward<Reference, double>(got);
  expect_within("dq", gradients.q, exact_gradients.q, bounds.q, u);
  expect_within("dk", gradients.k, exact_gradients.k, bounds.k, u);
  expect_within("dv", gradients.v, exact_gradients.v, bounds.v, u);
}

template <class T>
class GridAttention : public testing::Test {};
using SixteenBits = testing::Types<float16, bfloat16>;
TYPED_TEST_SUITE(GridAttention, SixteenBits);

TYPED_TEST(GridAttention, IsWithinItsBoundOfTheDefinition) {
  for (const Index width : {16, 40, 64, 96, 128, 200})
    for (const Index time : {1, 17, 64, 100})
      for (const bool causal : {false, true})
        expect_defined(Heads<TypeParam>(time, time, width, causal, 1));
}

TYPED_TEST(GridAttention, OfManyTilesIsWithinItsBound) {
  for (const Index width : {40, 128})
    for (const bool causal : {false, true})
      expect_defined(Heads<TypeParam>(257, 257, width, causal, 1, 1));
}

TYPED_TEST(GridAttention, ReadsRowsOfAnyAlignment) {
  for (const Index width : {1, 5, 20, 68}) expect_defined(Heads<TypeParam>(70, 70, width, true));
  Heads<TypeParam> heads(65, 65, 16, false);
  heads.p.q.time += 1;
  heads.q = heads.upstream = numbers::normal_numbers<TypeParam>(2 * 65 * (2 * 16 + 9), 7);
  heads.p.q.batch = heads.p.y.batch = 65 * (2 * 16 + 9);
  heads.p.y.time = heads.p.q.time;
  expect_defined(heads);
}

TYPED_TEST(GridAttention, OfOneSequenceToAnotherIsWithinItsBound) {
  for (const bool causal : {false, true}) {
    expect_defined(Heads<TypeParam>(20, 130, 24, causal));
    expect_defined(Heads<TypeParam>(130, 20, 24, causal));
    expect_defined(Heads<TypeParam>(1, 90, 72, causal));
  }
}

TYPED_TEST(GridAttention, AddsToGradients) {
  for (const Index width : {24, 72}) {
    Heads<TypeParam> heads(70, 70, width, true);
    heads.add = true;
    expect_defined(heads);
  }
}

TYPED_TEST(GridAttention, HasTheSameBitsInEveryRun) {
  const Heads<TypeParam> heads(100, 100, 24, true);
  const auto forward = heads.template forward<Grid, TypeParam>();
  EXPECT_TRUE((heads.template forward<Grid, TypeParam>().y == forward.y));
  const auto backward = heads.template backward<Grid, TypeParam>(forward);
  const auto again = heads.template backward<Grid, TypeParam>(forward);
  EXPECT_EQ(again.q, backward.q);
  EXPECT_EQ(again.k, backward.k);
  EXPECT_EQ(again.v, backward.v);
}

TYPED_TEST(GridAttention, WritesTheGradientsThatAreAskedFor) {
  const Heads<TypeParam> heads(70, 70, 24, true);
  const auto forward = heads.template forward<Grid, TypeParam>();
  const auto all = heads.template backward<Grid, TypeParam>(forward);
  for (int only = 0; only < 3; ++only) {
    std::vector<TypeParam> to(only == 0 ? heads.q.size() : heads.k.size(), TypeParam(2.0f));
    hs::AttentionGradients<TypeParam> gradients;
    (only == 0 ? gradients.q : only == 1 ? gradients.k : gradients.v) = to.data();
    Grid::attention_backward(heads.p, heads.q.data(), heads.k.data(), heads.v.data(),
                             forward.y.data(), forward.log_sum.data(), heads.upstream.data(),
                             gradients);
    EXPECT_EQ(to, only == 0 ? all.q : only == 1 ? all.k : all.v) << only;
  }
}

TYPED_TEST(GridAttention, KeepsNan) {
  for (const Index time : {0, 70, 99}) {
    Heads<TypeParam> heads(100, 100, 16, true, 1, 1);
    const auto at = static_cast<std::size_t>(time * heads.p.q.time);
    heads.q[at] = TypeParam(std::numeric_limits<float>::quiet_NaN());
    const auto forward = heads.template forward<Grid, TypeParam>();
    const auto backward = heads.template backward<Grid, TypeParam>(forward);
    EXPECT_TRUE(std::isnan(hs::to_float(forward.y[at]))) << time;
    EXPECT_TRUE(std::isnan(forward.log_sum[static_cast<std::size_t>(time)])) << time;
    EXPECT_TRUE(std::isnan(hs::to_float(backward.q[at]))) << time;
    EXPECT_TRUE(std::isnan(hs::to_float(backward.k[0]))) << "every query sees key 0";
    EXPECT_TRUE(std::isnan(hs::to_float(backward.v[0]))) << "every query sees key 0";
  }
}

TYPED_TEST(GridAttention, GivesKeysWithoutAScoreNoWeight) {
  // Key j's score is its first element; the scores of more than a tile are -inf.
  constexpr float none = -std::numeric_limits<float>::infinity();
  for (const bool all : {false, true}) {
    Heads<TypeParam> heads(3, 100, 16, false, 1, 1);
    for (std::size_t i = 0; i < heads.q.size(); ++i)
      heads.q[i] = TypeParam(static_cast<Index>(i) % heads.p.q.time == 0 ? 1.0f : 0.0f);
    for (std::size_t j = 0; j < (all ? 100 : 70); ++j) heads.k[16 * j] = TypeParam(none);
    const auto got = heads.template forward<Grid, TypeParam>();
    const auto exact = heads.template forward<Reference, double>();
    for (std::size_t d = 0; d < 16; ++d) {
      const double found = hs::storage_cast<double>(got.y[d]);
      if (all) {
        EXPECT_TRUE(std::isnan(exact.y[d]));
        EXPECT_TRUE(std::isnan(found));
      } else {
        // The bound of the others: a rounding of each weight, and one of the result.
        const double u = hs::numeric_traits<TypeParam>::unit_roundoff;
        EXPECT_NEAR(found, exact.y[d], 2 * (1 + u) * u * 4.0);
      }
    }
  }
}

TEST(GridAttentionInFp32, IsWithinItsBoundOfTheDefinition) {
  for (const Index width : {16, 72})
    for (const bool causal : {false, true}) expect_defined(Heads<float>(70, 70, width, causal));
}

}  // namespace
