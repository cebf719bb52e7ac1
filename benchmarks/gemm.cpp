// Our products beside oneDNN called straight, in the shapes of a training step: forward (A B^T),
// input gradient (A B) and weight gradient (A^T B), plus odd ones. 16-bit operands that oneDNN
// cannot multiply stand beside its FP32 product of the same shape.
#include "measure/beside.hpp"
#include "measure/random_tensor.hpp"
#include "measure/straight_matmul.hpp"

#include <halfstep/backend/default.hpp>
#include <halfstep/ops/gemm.hpp>

namespace {

using Backend = halfstep::backend::Default;
using halfstep::bfloat16;
using halfstep::float16;
using halfstep::Tensor;

// Arguments: m, n, k, transpose_a, transpose_b, threads.
template <class T>
void product(benchmark::State& state) {
  const auto m = state.range(0), n = state.range(1), k = state.range(2);
  const bool transpose_a = state.range(3) != 0, transpose_b = state.range(4) != 0;
  halfstep::set_threads(static_cast<int>(state.range(5)));
  const auto a =
      measure::random_tensor<T>(transpose_a ? halfstep::Shape{k, m} : halfstep::Shape{m, k});
  const auto b =
      measure::random_tensor<T>(transpose_b ? halfstep::Shape{n, k} : halfstep::Shape{k, n}, 2);
  Tensor<T> c({m, n});
  const auto ours = [&] {
    halfstep::gemm<Backend, float>(a.view(), b.view(), c.view(),
                                   {.transpose_a = transpose_a, .transpose_b = transpose_b});
  };
  const double work = 2e-9 * static_cast<double>(m) * static_cast<double>(n * k);
#if defined(HALFSTEP_ONEDNN)
  const bool native = std::is_same_v<T, bfloat16> && measure::StraightMatmul::has_bfloat16();
  const auto wide_a = measure::random_tensor<float>(a.shape());
  const auto wide_b = measure::random_tensor<float>(b.shape(), 2);
  Tensor<float> wide_c({m, n});
  const measure::StraightMatmul straight({m, n, k, transpose_a, transpose_b},
                                         native ? dnnl_bf16 : dnnl_f32);
  measure::beside(state, work, "FLOP/s", ours, [&] {
    if (native)
      straight(a.data(), b.data(), c.data());
    else
      straight(wide_a.data(), wide_b.data(), wide_c.data());
  });
#else
  measure::beside(state, work, "FLOP/s", ours, ours);
#endif
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgNames({"m", "n", "k", "ta", "tb", "threads"});
  for (const int threads : {1, 2}) {
    benchmark->Args({128, 512, 784, 0, 1, threads})
        ->Args({128, 512, 512, 0, 0, threads})
        ->Args({512, 784, 128, 1, 0, threads})
        ->Args({512, 2048, 2048, 0, 1, threads})
        ->Args({512, 2048, 2048, 0, 0, threads})
        ->Args({2048, 2048, 512, 1, 0, threads})
        ->Args({512, 10, 2048, 0, 1, threads})
        ->Args({1, 2048, 2048, 0, 1, threads});
  }
}
BENCHMARK_TEMPLATE(product, float)->Apply(shapes);
BENCHMARK_TEMPLATE(product, bfloat16)->Apply(shapes);
BENCHMARK_TEMPLATE(product, float16)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
