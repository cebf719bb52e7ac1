#pragma once

#include <app/names.hpp>

#include <halfstep/halfstep.hpp>

namespace app {

/// Calls f(rule) with the update rule of that name, and its usual learning rate where the command
/// line says none.
/// @param factor  on the usual rate
/// @throws CommandLineError  there is no such rule
template <class F>
void with_optimizer(const Options& options, double factor, const F& f) {
  require_optimizer(options.optimizer);
  namespace optim = halfstep::optim;
  const auto rate = [&](double usual) { return options.learning_rate.value_or(factor * usual); };
  if (options.optimizer == "adamw") return f(optim::AdamW{.learning_rate = rate(1e-3)});
  // Adam is AdamW without decay.
  if (options.optimizer == "adam")
    return f(optim::AdamW{.learning_rate = rate(1e-3), .weight_decay = 0.0});
  if (options.optimizer == "momentum")
    return f(optim::SGD{.learning_rate = rate(0.05), .momentum = 0.9});
  f(optim::SGD{.learning_rate = rate(0.1)});
}

}  // namespace app
