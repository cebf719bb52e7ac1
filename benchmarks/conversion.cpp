// Conversions between storage types beside a plain copy of as many bytes.
#include "measure/beside.hpp"
#include "measure/probes.hpp"
#include "measure/random_tensor.hpp"

#include <halfstep/backend/cpu/elementwise.hpp>

namespace {

using halfstep::bfloat16;
using halfstep::float16;
using halfstep::Tensor;

// Arguments: elements, threads.
template <class From, class To>
void convert(benchmark::State& state) {
  const halfstep::Index n = state.range(0);
  const auto threads = static_cast<int>(state.range(1));
  halfstep::set_threads(threads);
  const auto from = measure::random_tensor<From>({n});
  Tensor<To> to({n});
  const auto bytes = static_cast<std::size_t>(n) * (sizeof(From) + sizeof(To));
  Tensor<char> copied_from({static_cast<halfstep::Index>(bytes / 2)});
  Tensor<char> copied_to(copied_from.shape());
  std::fill(copied_from.span().begin(), copied_from.span().end(), char{1});
  measure::beside(
      state, 1e-9 * static_cast<double>(bytes), "B/s",
      [&] { halfstep::backend::cpu::convert_elements(n, from.data(), to.data()); },
      [&] { measure::copy(threads, copied_from.data(), copied_to.data(), bytes / 2); });
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgNames({"n", "threads"});
  // In the second-level cache, and in memory.
  benchmark->Args({1 << 16, 1})->Args({1 << 25, 1})->Args({1 << 25, 2});
}
BENCHMARK_TEMPLATE(convert, float, float16)->Apply(sizes);
BENCHMARK_TEMPLATE(convert, float, bfloat16)->Apply(sizes);
BENCHMARK_TEMPLATE(convert, float16, float)->Apply(sizes);
BENCHMARK_TEMPLATE(convert, bfloat16, float)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
