// Sums and finite checks beside a plain read of the same bytes.
#include "measure/beside.hpp"
#include "measure/probes.hpp"
#include "measure/random_tensor.hpp"

#include <halfstep/backend/default.hpp>
#include <halfstep/ops/formulas_arithmetic.hpp>

namespace {

using Backend = halfstep::backend::Default;
using halfstep::bfloat16;
using halfstep::float16;
using halfstep::Index;
using halfstep::Reduction;
using halfstep::Tensor;

template <class T, class Ours>
void read_beside(benchmark::State& state, const Tensor<T>& x, const Ours& ours) {
  const auto bytes = static_cast<std::size_t>(x.size()) * sizeof(T);
  measure::beside(state, 1e-9 * static_cast<double>(bytes), "B/s", ours,
                  [&] { benchmark::DoNotOptimize(measure::read(x.data(), bytes / 256 * 256)); });
}

// Arguments: rows, columns, threads.
template <class T>
void sum_of_rows(benchmark::State& state) {
  const Index rows = state.range(0), columns = state.range(1);
  halfstep::set_threads(static_cast<int>(state.range(2)));
  const auto x = measure::random_tensor<T>({rows, columns});
  Tensor<float> sums({rows});
  const halfstep::ReduceProblem problem{.outer = rows, .reduced = columns};
  read_beside(state, x, [&] {
    Backend::reduce<Reduction::sum>(problem, halfstep::formulas::Identity{}, sums.data(), x.data());
  });
}

/// What a bias gradient is.
template <class T>
void sum_of_columns(benchmark::State& state) {
  const Index rows = state.range(0), columns = state.range(1);
  halfstep::set_threads(static_cast<int>(state.range(2)));
  const auto x = measure::random_tensor<T>({rows, columns});
  Tensor<T> sums({columns});
  const halfstep::ReduceProblem problem{.reduced = rows, .inner = columns};
  read_beside(state, x, [&] {
    Backend::reduce<Reduction::sum>(problem, halfstep::formulas::Identity{}, sums.data(), x.data());
  });
}

/// What the check of a step's gradients is.
template <class T>
void check_finite(benchmark::State& state) {
  halfstep::set_threads(static_cast<int>(state.range(2)));
  const auto x = measure::random_tensor<T>({state.range(0), state.range(1)});
  read_beside(state, x, [&] {
    halfstep::FiniteCheck found;
    Backend::check_finite(x.size(), x.data(), &found);
    benchmark::DoNotOptimize(found.sum_of_squares);
  });
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgNames({"rows", "columns", "threads"});
  for (const int threads : {1, 2})
    benchmark->Args({128, 512, threads})->Args({512, 2048, threads})->Args({8192, 4096, threads});
}
#define SUMS_OF(name)                              \
  BENCHMARK_TEMPLATE(name, float)->Apply(sizes);   \
  BENCHMARK_TEMPLATE(name, float16)->Apply(sizes); \
  BENCHMARK_TEMPLATE(name, bfloat16)->Apply(sizes)
SUMS_OF(sum_of_rows);
SUMS_OF(sum_of_columns);
SUMS_OF(check_finite);
// The gradients of 20 M parameters.
void twenty_million(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgNames({"rows", "columns", "threads"})->Args({1, 20'000'000, 1});
  benchmark->Args({1, 20'000'000, 2});
}
BENCHMARK_TEMPLATE(check_finite, float16)->Apply(twenty_million);

}  // namespace

BENCHMARK_MAIN();
