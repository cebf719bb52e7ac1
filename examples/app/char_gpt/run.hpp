#pragma once

#include <app/options.hpp>

#include <array>
#include <optional>

namespace app {

/// What char_gpt can be told beside the options that training programs share. What is not said is
/// the preset's.
struct CharGptOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> layers, heads, width, context, sequences, steps;
  std::optional<double> dropout;
  bool tied = false;
  bool recompute = false;
  int sample = 500;
  double temperature = 0.8;
  std::optional<std::string> prompt;
};

inline constexpr std::array char_gpt_presets{"full", "small"};

/// All of char_gpt on one backend: trains in each precision, prints the table and a sample of text
/// of each. Each backend is compiled by itself, in <backend>.cpp.
///
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <class Backend>
void run_char_gpt(const CharGptOptions& options);

}  // namespace app
