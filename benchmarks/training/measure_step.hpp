#pragma once

#include "../measure/probes.hpp"
#include "../measure/samples.hpp"
#include "../measure/step_products.hpp"
#include "step_options.hpp"

#include <halfstep/halfstep.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

namespace training {

template <class Products, class Case>
std::function<void()> step_products(const Case& c) {
  auto products = std::make_shared<measure::StepProducts<Products>>(c.products());
  return [products] { (*products)(); };
}

/// What a precision's products are at best on this machine. On a GPU its library's, in the
/// precision's own types. On a CPU oneDNN's: in BF16 where the precision stores BF16 and the
/// processor multiplies it, else in FP32; nothing without oneDNN.
template <class Setup, class Case>
std::function<void()> straight_products([[maybe_unused]] const Case& c) {
  if constexpr (!Setup::Device::host_accessible) {
    return step_products<measure::BackendProducts<Setup>>(c);
  } else {
#if defined(HALFSTEP_ONEDNN) && !defined(__CUDACC__)
    if constexpr (std::is_same_v<typename Setup::Activation, halfstep::bfloat16>)
      if (measure::StraightMatmul::has_bfloat16())
        return step_products<measure::OneDnnProducts<halfstep::bfloat16>>(c);
    return step_products<measure::OneDnnProducts<float>>(c);
#else
    return {};
#endif
  }
}

/// A plain copy of so many bytes within the backend's memory.
template <class Setup>
std::function<void()> plain_copy(std::size_t bytes, [[maybe_unused]] int threads) {
  using Backend = typename Setup::Backend;
  if constexpr (Setup::Device::host_accessible) {
    const halfstep::Shape shape{static_cast<halfstep::Index>(bytes)};
    halfstep::Tensor<char> from(shape), to(shape);
    std::fill(from.span().begin(), from.span().end(), char{1});
    std::fill(to.span().begin(), to.span().end(), char{2});
    return [from, to, threads, bytes]() mutable {
      measure::copy(threads, from.data(), to.data(), bytes);
    };
  } else {
    const halfstep::Shape shape{static_cast<halfstep::Index>(bytes / sizeof(float))};
    const auto from = measure::random_tensor_on<float, Backend>(shape);
    halfstep::TensorOf<float, Backend> to(shape);
    return [from, to]() mutable { Backend::copy(from.size(), from.data(), to.data()); };
  }
}

/// Times calls on a backend. A device that works on its own is waited for once in a group of calls
/// that lasts 20 ms or more: to wait after each would time the waiting.
template <class Backend>
class Stopwatch {
 public:
  /// Of one call, from a group of them.
  template <class F>
  static double seconds(const F& f, int calls) {
    Backend::synchronize();
    return measure::seconds([&] {
             for (int i = 0; i < calls; ++i) f();
             Backend::synchronize();
           }) /
           calls;
  }
  template <class F>
  static int calls_in_a_group(const F& f) {
    if constexpr (Backend::DeviceType::host_accessible) return 1;
    seconds(f, 3);
    return static_cast<int>(std::clamp(std::ceil(0.02 / seconds(f, 3)), 1.0, 2000.0));
  }
};

/// Steps, products and copies by turns for so many seconds: the machine's other users meet all
/// three alike.
template <class Setup, class Case>
StepFigures measure_steps(const Case& c, const StepOptions& options) {
  using Backend = typename Setup::Backend;
  using Model = typename Case::template Model<Setup>;
  const typename Case::Loss loss;
  Model model(c);
  model.initialise(1);
  // So slow that the data is not learnt by heart: gradients that vanish make subnormal moments, on
  // which processors stumble.
  halfstep::Trainer trainer(model, halfstep::optim::AdamW{.learning_rate = 1e-6});
  std::vector<typename Case::template Batch<Setup>> batches;
  for (std::uint64_t seed = 1; seed <= 4; ++seed)
    batches.push_back(c.template random_batch<Setup>(seed));
  std::size_t steps = 0;
  const auto next_batch = [&]() -> const auto& { return batches[steps++ % batches.size()]; };
  const auto step = [&] { trainer.step(next_batch(), loss); };
  // The same step in the long form, to see how much of it the optimizer takes, its read of the
  // gradients included.
  const auto seconds_of_optimizer = [&] {
    auto scaled = halfstep::backward(trainer.scaler().scale(loss(model, next_batch())));
    Backend::synchronize();
    return measure::seconds([&] {
      trainer.scaler().step(trainer.optimizer(), std::move(scaled));
      trainer.scaler().update();
      Backend::synchronize();
    });
  };

  // A device's step is settled (memory cached, a graph captured) after a few.
  for (int i = 0; i < (Setup::Device::host_accessible ? 2 : 10); ++i) step();
  auto& pool = Setup::Device::pool();
  pool.reset_peak();
  StepFigures figures;
  const std::size_t before = pool.use().in_use;
  trainer.step(next_batch(), [&](const auto& model, const auto& batch) {
    auto result = loss(model, batch);
    figures.activation_bytes = static_cast<std::int64_t>(pool.use().in_use - before);
    return result;
  });
  figures.peak_bytes = static_cast<std::int64_t>(pool.use().peak);

  figures.parameters = model.parameters().size();
  const auto parameters = static_cast<double>(figures.parameters);
  const std::function<void()> products = straight_products<Setup>(c);
  const std::function<void()> copy =
      plain_copy<Setup>(static_cast<std::size_t>(15.0 * parameters), options.threads);
  if (products) products();
  copy();
  using Watch = Stopwatch<Backend>;
  const int steps_in_a_group = Watch::calls_in_a_group(step);
  const int products_in_a_group = products ? Watch::calls_in_a_group(products) : 0;
  const int copies_in_a_group = Watch::calls_in_a_group(copy);
  measure::Samples step_time, product_time, copy_time, optimizer_time;
  double total = 0.0;
  for (int round = 0; round < 3 || total < options.seconds; ++round) {
    total += measure::seconds([&] {
      step_time.add(Watch::seconds(step, steps_in_a_group));
      if (products) product_time.add(Watch::seconds(products, products_in_a_group));
      copy_time.add(Watch::seconds(copy, copies_in_a_group));
      if (round % 4 == 0) optimizer_time.add(seconds_of_optimizer());
    });
  }
  const double seconds = step_time.median();
  figures.median_ms = 1e3 * seconds;
  figures.best_ms = 1e3 * step_time.best();
  figures.samples_per_second = static_cast<double>(c.batch_size) / seconds;
  figures.tokens_per_second = static_cast<double>(c.tokens()) / seconds;
  figures.model_tflops = 1e-12 * c.model_flop(figures.parameters) / seconds;
  figures.gemm_ms = products ? 1e3 * product_time.median() : 0.0;
  figures.copy_gb_per_second = 30e-9 * parameters / copy_time.median();
  figures.limit_ms = figures.gemm_ms + 30e-6 * parameters / figures.copy_gb_per_second;
  figures.optimizer_ms = 1e3 * optimizer_time.median();
  return figures;
}

template <class Case, class Backend>
StepFigures measure_training(const StepOptions& options) {
  StepFigures figures;
  const Case c(options);
  halfstep::with_precision<Backend>(options.precision, [&](auto policy) {
    figures = measure_steps<halfstep::Setup<decltype(policy), Backend>>(c, options);
  });
  return figures;
}

}  // namespace training
