// Elementwise passes beside a plain copy of as many bytes.
#include "measure/beside.hpp"
#include "measure/probes.hpp"
#include "measure/random_tensor.hpp"

#include <halfstep/backend/default.hpp>
#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/formulas_activation.hpp>
#include <halfstep/ops/formulas_arithmetic.hpp>

namespace {

using Backend = halfstep::backend::Default;
using halfstep::bfloat16;
using halfstep::float16;
using halfstep::Index;
using halfstep::Tensor;
namespace formulas = halfstep::formulas;

struct Exp {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return exp(x);
  }
};
struct Tanh {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return tanh(x);
  }
};

// Arguments: elements, threads.
template <class T, class F, class Pass, class... Ins>
void pass_beside(benchmark::State& state, const Pass& pass, const Ins&... ins) {
  const Index n = state.range(0);
  const auto threads = static_cast<int>(state.range(1));
  halfstep::set_threads(threads);
  Tensor<T> y({n});
  const auto bytes = static_cast<std::size_t>(n) * sizeof(T) * (sizeof...(Ins) + 1);
  Tensor<char> from({static_cast<Index>(bytes / 2)});
  Tensor<char> to(from.shape());
  std::fill(from.span().begin(), from.span().end(), char{1});
  measure::beside(
      state, 1e-9 * static_cast<double>(bytes), "B/s",
      [&] {
        Backend::for_each_element(n, pass, halfstep::Out<T>{y.data()},
                                  halfstep::In<T>{ins.data()}...);
      },
      [&] { measure::copy(threads, from.data(), to.data(), bytes / 2); });
}

template <class T, class F>
void unary(benchmark::State& state) {
  const auto x = measure::random_tensor<T>({state.range(0)});
  pass_beside<T, F>(state, halfstep::ValuePass<F>{}, x);
}
template <class T, class F>
void binary(benchmark::State& state) {
  const auto a = measure::random_tensor<T>({state.range(0)});
  const auto b = measure::random_tensor<T>({state.range(0)}, 2);
  pass_beside<T, F>(state, halfstep::BinaryValuePass<F>{}, a, b);
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgNames({"n", "threads"});
  // In the second-level cache, and in memory.
  benchmark->Args({1 << 16, 1})->Args({1 << 25, 1})->Args({1 << 25, 2});
}
#define PASSES_OVER(T)                                             \
  BENCHMARK_TEMPLATE(binary, T, formulas::Add)->Apply(sizes);      \
  BENCHMARK_TEMPLATE(binary, T, formulas::Multiply)->Apply(sizes); \
  BENCHMARK_TEMPLATE(unary, T, formulas::Relu)->Apply(sizes);      \
  BENCHMARK_TEMPLATE(unary, T, Exp)->Apply(sizes);                 \
  BENCHMARK_TEMPLATE(unary, T, Tanh)->Apply(sizes)
PASSES_OVER(float);
PASSES_OVER(float16);
PASSES_OVER(bfloat16);

}  // namespace

BENCHMARK_MAIN();
