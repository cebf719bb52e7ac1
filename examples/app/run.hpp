#pragma once

#include <app/json_lines.hpp>
#include <app/options.hpp>
#include <app/progress.hpp>

#include <string>

namespace app {

/// One training run among those of a program: a precision, and where it says how it goes.
template <class Setup_>
struct Run {
  using Setup = Setup_;

  const Options& options;
  std::string precision;                ///< the policy's name, or fp16_without_scaling
  typename Setup::LossScaling scaling;  ///< for the Trainer
  Progress& progress;
  JsonLines& json;

  /// The precision in a column of its own, for lines of progress.
  std::string label() const {
    constexpr std::size_t width = 12;
    return precision +
           std::string(precision.size() + 2 < width ? width - precision.size() : 2, ' ');
  }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(options.seed); }
};

}  // namespace app
