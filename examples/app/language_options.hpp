#pragma once

#include <app/options.hpp>

#include <array>
#include <optional>

namespace app {

/// What programs that learn a text can be told beside the options that training programs share.
/// What is not said is the preset's.
struct LanguageOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> layers, width, context, sequences, steps;
  std::optional<double> dropout;
  int sample = 500;
  double temperature = 0.8;
  std::optional<std::string> prompt;
};

inline constexpr std::array presets{"full", "small"};

}  // namespace app
