#include <halfstep/backend/cuda/products.hpp>
#include <halfstep/backend/grid/host_grid.hpp>

#include "epilogue_checks.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace halfstep::test {
namespace {

using namespace backend::cuda;
using backend::DeterministicScope;
using backend::Reference;
using backend::grid::HostQueue;

/// What cuBLASLt does, by its documentation, on the host: one algorithm a key, of which the fused
/// one takes the shorter or the longer time, and outputs that hold NaN wherever it writes none.
template <bool FusedWins>
struct HostCublas {
  /// How many products did nothing else, added a bias, and had a further epilogue.
  static inline int products[3] = {};
  static inline double now = 0.0;

  static std::vector<MatmulAlgorithm> candidates(const MatmulKey&) { return {{}}; }
  static bool accepts(const MatmulKey&, const MatmulAlgorithm&) { return true; }
  using Race = backend::grid::Enqueue<backend::grid::HostStream>::AtOnce;
  static void require(MatmulNumber, MatmulSum) {}
  static std::string machine() { return "host"; }
  template <class F>
  static double elapsed(const F& f) {
    const double start = now;
    f();
    return now - start;
  }
  static Tensor<unsigned char> scratch(std::size_t bytes) {
    Tensor<unsigned char> memory(Shape{static_cast<Index>(bytes)});
    Reference::clear(memory.size(), memory.data());
    return memory;
  }
  static bool try_multiply(const MatmulCall& call, const MatmulAlgorithm&) {
    const int kind = call.key.epilogue != Epilogue::none ? 2 : call.key.bias ? 1 : 0;
    ++products[kind];
    now += FusedWins ? 3 - kind : 1 + kind;
    if (call.key.in == MatmulNumber::float32)
      multiply_as<float, float>(call);
    else if (call.key.in == MatmulNumber::float64)
      multiply_as<double, double>(call);
    else if (call.key.in == MatmulNumber::float16)
      multiply_as<float16, float16>(call);
    else if (call.key.out == MatmulNumber::bfloat16)
      multiply_as<bfloat16, bfloat16>(call);
    else
      multiply_as<bfloat16, float>(call);
    return true;
  }
  static void multiply(const MatmulCall& call, const MatmulAlgorithm&) {
    HostQueue::enqueue(Command{call});
  }

 private:
  struct Command {
    MatmulCall call;
    void operator()(backend::grid::HostStream) const { try_multiply(call, {}); }
  };
  template <class In, class Out>
  static void multiply_as(const MatmulCall& call) {
    using N = typename numeric_traits<In>::compute;
    const MatmulKey& key = call.key;
    const GemmProblem p{.batch = key.batch,
                        .m = key.m,
                        .n = key.n,
                        .k = key.k,
                        .transpose_a = key.transpose_a,
                        .transpose_b = key.transpose_b,
                        .alpha = static_cast<float>(call.alpha)};
    const auto* const a = static_cast<const In*>(call.a);
    std::vector<N> product(static_cast<std::size_t>(key.batch * key.m * key.n));
    Reference::gemm<N>(p, a, static_cast<const In*>(call.b), product.data(),
                       static_cast<const N*>(nullptr));
    Out* const c = static_cast<Out*>(call.c);
    Out* const bias = static_cast<Out*>(call.bias);
    Out* const before = static_cast<Out*>(call.before);
    std::vector<N> sums(static_cast<std::size_t>(key.n));
    for (std::size_t i = 0; i < product.size(); ++i) {
      N x = product[i];
      const std::size_t column = i % sums.size();
      if (key.accumulate) x += static_cast<N>(call.beta) * storage_cast<N>(c[i]);
      if (key.bias && key.epilogue <= Epilogue::gelu) x += storage_cast<N>(bias[column]);
      if (key.epilogue == Epilogue::gelu) {
        if (key.before) before[i] = storage_cast<Out>(x);
        x = formulas::GeluTanh()(x);
      }
      if (key.epilogue == Epilogue::gelu_backward) {
        x = formulas::GeluTanh().backward(x, storage_cast<N>(before[i]));
        sums[column] += x;
      }
      c[i] = storage_cast<Out>(x);
    }
    if (key.epilogue == Epilogue::gelu_backward && key.bias)
      for (std::size_t i = 0; i < sums.size(); ++i) bias[i] = storage_cast<Out>(sums[i]);
    if (key.epilogue == Epilogue::sums_of_a)
      for (Index row = 0; row < key.m; ++row) {
        N sum = 0;
        for (Index j = 0; j < key.k; ++j)
          sum += storage_cast<N>(a[key.transpose_a ? j * key.m + row : row * key.k + j]);
        bias[row] = storage_cast<Out>(sum);
      }
  }
};

/// What Cublas is, of these.
template <bool FusedWins>
struct OnHost : backend::grid::Operations<HostQueue, Products<HostQueue, HostCublas<FusedWins>>>,
                Products<HostQueue, HostCublas<FusedWins>> {
  static constexpr std::string_view name = "cublas_on_host";
};

template <class T, bool FusedWins>
struct Case {
  using Number = T;
  using Runtime = HostCublas<FusedWins>;
  using Backend = OnHost<FusedWins>;
  static constexpr bool fused_wins = FusedWins;
};

/// Operands are small integers, so that products and their sums are exact in every type.
template <class Case>
class EveryProduct : public testing::Test {
 protected:
  using T = typename Case::Number;
  using N = Compute<T>;
  static constexpr Index m = 24, n = 16, k = 8;
  static constexpr std::size_t size = m * n;

  static std::vector<T> integers(Index count, Index seed) {
    std::vector<T> numbers;
    for (Index i = 0; i < count; ++i)
      numbers.push_back(storage_cast<T>(static_cast<float>((7 * i + seed) % 5 - 2)));
    return numbers;
  }
  std::vector<T> a = integers(m * k, 1), b = integers(k * n, 2), bias = integers(n, 3);
  GemmProblem p{.m = m, .n = n, .k = k};

  /// alpha a b + bias
  std::vector<N> product(bool with_bias, float alpha = 1.0f) const {
    std::vector<N> sums(size);
    GemmProblem problem = p;
    problem.alpha = alpha;
    Reference::gemm<N>(problem, a.data(), b.data(), sums.data(),
                       with_bias ? bias.data() : static_cast<const T*>(nullptr));
    return sums;
  }
  /// As many as c has, which hold what nobody may read.
  static std::vector<T> unwritten(std::size_t count = size) {
    return std::vector<T>(count, storage_cast<T>(std::numeric_limits<float>::quiet_NaN()));
  }
  static std::vector<N> numbers(const std::vector<T>& stored) {
    std::vector<N> values;
    for (const T& one : stored) values.push_back(storage_cast<N>(one));
    return values;
  }
  /// Expects that after a race products are of the fused kind or of the separate one.
  template <class F>
  static void expect_way(int fused, int separate, const F& f) {
    f();
    const auto& products = Case::Runtime::products;
    std::vector<int> expected(std::begin(products), std::end(products));
    ++expected[static_cast<std::size_t>(Case::fused_wins ? fused : separate)];
    f();
    EXPECT_EQ(std::vector<int>(std::begin(products), std::end(products)), expected);
  }
};
using Cases = testing::Types<Case<float, true>, Case<float, false>, Case<bfloat16, true>,
                             Case<bfloat16, false>>;
TYPED_TEST_SUITE(EveryProduct, Cases);

TYPED_TEST(EveryProduct, AddsABiasAndClampsBelow) {
  using T = typename TypeParam::Number;
  for (const Activation activation : {Activation::none, Activation::relu}) {
    this->p.activation = activation;
    auto c = this->unwritten();
    if (activation == Activation::none)
      this->expect_way(1, sizeof(T) == 2 ? 1 : 0, [&] {
        TypeParam::Backend::template gemm<float>(this->p, this->a.data(), this->b.data(), c.data(),
                                                 this->bias.data());
      });
    else
      TypeParam::Backend::template gemm<float>(this->p, this->a.data(), this->b.data(), c.data(),
                                               this->bias.data());
    auto expected = this->product(true);
    for (auto& x : expected)
      if (activation == Activation::relu) x = std::max(x, 0.0f);
    EXPECT_EQ(this->numbers(c), expected);
  }
  // NaN in a row of a: the loss scaler must see it.
  this->a[0] = storage_cast<T>(std::numeric_limits<float>::quiet_NaN());
  auto c = this->unwritten();
  TypeParam::Backend::template gemm<float>(this->p, this->a.data(), this->b.data(), c.data(),
                                           this->bias.data());
  for (Index i = 0; i < this->n; ++i)
    EXPECT_TRUE(std::isnan(storage_cast<float>(c[static_cast<std::size_t>(i)])));
}

TYPED_TEST(EveryProduct, AddsToWhatIsThereOnceThoughItRaces) {
  this->p.beta = 1.0f;
  this->p.alpha = 2.0f;
  auto c = this->integers(this->size, 4);
  auto expected = this->product(true, 2.0f);
  for (std::size_t i = 0; i < c.size(); ++i) expected[i] += storage_cast<float>(c[i]);
  TypeParam::Backend::template gemm<float>(this->p, this->a.data(), this->b.data(), c.data(),
                                           this->bias.data());
  EXPECT_EQ(this->numbers(c), expected);
}

TYPED_TEST(EveryProduct, TakesTheFasterWayToAnEpilogue) {
  using T = typename TypeParam::Number;
  auto c = this->unwritten(), before = this->unwritten();
  for (T* const kept : {before.data(), static_cast<T*>(nullptr)}) {
    c = this->unwritten();
    this->expect_way(2, 1, [&] {
      TypeParam::Backend::template gemm_gelu<float>(this->p, this->a.data(), this->b.data(),
                                                    c.data(), this->bias.data(), kept);
    });
    EXPECT_EQ(this->numbers(before), this->product(true));
    // What is before is an integer that T has: one rounding in either way.
    for (std::size_t i = 0; i < c.size(); ++i) {
      const float gelu = formulas::GeluTanh()(storage_cast<float>(before[i]));
      EXPECT_EQ(storage_cast<float>(c[i]), storage_cast<float>(storage_cast<T>(gelu)));
    }
  }
  std::vector<T> sums(static_cast<std::size_t>(this->n));
  for (const bool add : {false, true})
    this->expect_way(2, 0, [&] {
      TypeParam::Backend::template gemm_gelu_backward<float>(
          this->p, this->a.data(), this->b.data(), c.data(), before.data(), sums.data(), add);
    });
}

TYPED_TEST(EveryProduct, BringsABiasGradientAlongWithAWeightGradient) {
  using T = typename TypeParam::Number;
  // Out in FP32: where gradients are added up over micro-batches.
  const auto check = [&]<class Out>(Out) {
    for (const bool transpose : {true, false}) {
      GemmProblem p = this->p;
      p.transpose_a = transpose;
      for (const bool add : {false, true}) {
        p.beta = add ? 1.0f : 0.0f;
        std::vector<Out> c, sums;
        this->expect_way(2, 0, [&] {
          c.assign(this->size, storage_cast<Out>(1.0f));
          sums.assign(static_cast<std::size_t>(this->m), storage_cast<Out>(3.0f));
          TypeParam::Backend::template gemm_bias_gradient<float>(p, this->a.data(), this->b.data(),
                                                                 c.data(), sums.data(), add);
        });
        std::vector<Out> expected(this->size, storage_cast<Out>(1.0f));
        Reference::gemm<float>(p, this->a.data(), this->b.data(), expected.data(),
                               static_cast<const T*>(nullptr));
        for (std::size_t i = 0; i < c.size(); ++i)
          EXPECT_EQ(storage_cast<float>(c[i]), storage_cast<float>(expected[i]));
        for (Index row = 0; row < this->m; ++row) {
          float sum = add ? 3.0f : 0.0f;
          for (Index j = 0; j < this->k; ++j)
            sum += storage_cast<float>(this->a[static_cast<std::size_t>(
                transpose ? j * this->m + row : row * this->k + j)]);
          EXPECT_EQ(storage_cast<float>(sums[static_cast<std::size_t>(row)]), sum);
        }
      }
    }
  };
  check(T());
  if constexpr (!std::is_same_v<T, float>) check(float());
}

TYPED_TEST(EveryProduct, OfNoProductsIsZeroAndItsBias) {
  using T = typename TypeParam::Number;
  this->p.k = 0;
  auto c = this->unwritten(), before = this->unwritten();
  auto sums = this->unwritten(static_cast<std::size_t>(this->n));
  TypeParam::Backend::template gemm_gelu<float>(this->p, this->a.data(), this->b.data(), c.data(),
                                                this->bias.data(), before.data());
  for (std::size_t i = 0; i < c.size(); ++i)
    EXPECT_EQ(storage_cast<float>(before[i]),
              storage_cast<float>(this->bias[i % static_cast<std::size_t>(this->n)]));
  TypeParam::Backend::template gemm_gelu_backward<float>(
      this->p, this->a.data(), this->b.data(), c.data(), before.data(), sums.data(), false);
  EXPECT_EQ(this->numbers(c), std::vector<float>(this->size, 0.0f));
  for (const T& sum : sums) EXPECT_EQ(storage_cast<float>(sum), 0.0f);
}

TYPED_TEST(EveryProduct, RacesInARecordedStepOnWhatWasAskedForBefore) {
  using T = typename TypeParam::Number;
  using Backend = typename TypeParam::Backend;
  // A shape that no other test has.
  this->p.n = this->n / 2;
  const std::size_t size = this->size / 2;
  std::vector<T> c(size), sums(static_cast<std::size_t>(this->m)), expected(size);
  Reference::gemm<float>(this->p, this->a.data(), this->b.data(), expected.data(),
                         static_cast<const T*>(nullptr));
  this->p.beta = 1.0f;
  backend::grid::StepGraphs<HostQueue> graphs;
  for (int step = 0; step < 4; ++step) {
    std::fill(c.begin(), c.end(), storage_cast<T>(9.0f));
    graphs.run([&] {
      Backend::clear(static_cast<Index>(size), c.data());
      Backend::template gemm_bias_gradient<float>(this->p, this->a.data(), this->b.data(), c.data(),
                                                  sums.data(), false);
      return 0;
    });
    EXPECT_EQ(this->numbers(c), this->numbers(expected)) << step;
  }
  EXPECT_EQ(graphs.use().direct, 2) << "the step of the race, and one to compare with";
  EXPECT_EQ(graphs.use().captured, 1);
  EXPECT_EQ(graphs.use().replayed, 1);
}

}  // namespace
}  // namespace halfstep::test

namespace epilogue_checks {
using hs::test::OnHost;
using Planned = testing::Types<Case<OnHost<true>, float>, Case<OnHost<true>, hs::float16>,
                               Case<OnHost<true>, hs::bfloat16>, Case<OnHost<true>, double>,
                               Case<OnHost<false>, float>, Case<OnHost<false>, hs::bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(PlannedProducts, Epilogues, Planned);
}  // namespace epilogue_checks
