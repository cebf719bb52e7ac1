#pragma once

#include "../measure/probes.hpp"
#include "../measure/samples.hpp"
#include "../measure/step_products.hpp"
#include "step_options.hpp"

#include <halfstep/halfstep.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace training {

/// What a precision's products are at best on this machine: oneDNN's in BF16 where the precision
/// stores BF16 and the processor multiplies it, else in FP32. Nothing without oneDNN.
template <class Storage, class Case>
std::function<void()> straight_products([[maybe_unused]] const Case& c) {
#if defined(HALFSTEP_ONEDNN)
  if constexpr (std::is_same_v<Storage, halfstep::bfloat16>) {
    if (measure::StraightMatmul::has_bfloat16()) {
      auto products = std::make_shared<measure::StepProducts<halfstep::bfloat16>>(c.products());
      return [products] { (*products)(); };
    }
  }
  auto products = std::make_shared<measure::StepProducts<float>>(c.products());
  return [products] { (*products)(); };
#else
  return {};
#endif
}

/// Steps, products and copies by turns for so many seconds: the machine's other users meet all
/// three alike.
template <class Setup, class Case>
StepFigures measure_steps(const Case& c, const StepOptions& options) {
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
    return measure::seconds([&] {
      trainer.scaler().step(trainer.optimizer(), std::move(scaled));
      trainer.scaler().update();
    });
  };

  auto& pool = Setup::Device::pool();
  step();
  step();
  pool.reset_peak();
  StepFigures figures;
  const std::size_t before = pool.use().in_use;
  trainer.step(next_batch(), [&](const auto& model, const auto& batch) {
    auto result = loss(model, batch);
    figures.activation_bytes = static_cast<std::int64_t>(pool.use().in_use - before);
    return result;
  });
  figures.peak_bytes = static_cast<std::int64_t>(pool.use().peak);

  const std::function<void()> products = straight_products<typename Setup::Activation>(c);
  const auto parameters = static_cast<double>(model.parameters().size());
  const auto copied = static_cast<halfstep::Index>(15.0 * parameters);
  halfstep::Tensor<char> from(halfstep::Shape{copied});
  halfstep::Tensor<char> to(halfstep::Shape{copied});
  std::fill(from.span().begin(), from.span().end(), char{1});
  std::fill(to.span().begin(), to.span().end(), char{2});
  const auto copy = [&] {
    measure::copy(options.threads, from.data(), to.data(), static_cast<std::size_t>(copied));
  };

  measure::Samples step_time, product_time, copy_time, optimizer_time;
  if (products) products();
  copy();
  double total = 0.0;
  for (int round = 0; round < 3 || total < options.seconds; ++round) {
    total += measure::seconds([&] {
      step_time.add(measure::seconds(step));
      if (products) product_time.add(measure::seconds(products));
      copy_time.add(measure::seconds(copy));
      if (round % 4 == 0) optimizer_time.add(seconds_of_optimizer());
    });
  }
  figures.median_ms = 1e3 * step_time.median();
  figures.best_ms = 1e3 * step_time.best();
  figures.samples_per_second = static_cast<double>(c.batch_size) / step_time.median();
  figures.gemm_ms = products ? 1e3 * product_time.median() : 0.0;
  figures.copy_gb_per_second = 30e-9 * parameters / copy_time.median();
  figures.limit_ms = figures.gemm_ms + 30e-6 * parameters / figures.copy_gb_per_second;
  figures.optimizer_ms = 1e3 * optimizer_time.median();
  return figures;
}

template <class Case, class Backend>
StepFigures measure_training(const StepOptions& options) {
  StepFigures figures;
  const Case c(options.model);
  halfstep::with_precision<Backend>(options.precision, [&](auto policy) {
    figures = measure_steps<halfstep::Setup<decltype(policy), Backend>>(c, options);
  });
  return figures;
}

}  // namespace training
