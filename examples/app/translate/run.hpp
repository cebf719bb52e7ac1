#pragma once

#include <app/language_options.hpp>

namespace app {

/// What translate can be told beside the options that training programs share. What is not said is
/// the preset's.
struct TranslateOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> width, pairs, steps;
  std::optional<double> dropout;
  int sample = 6;
  std::string date;  ///< a date to translate in the end; empty: none
};

/// All of translate on one backend: trains in each precision, prints the table and some
/// translations of each. Each backend is compiled by itself, in the file of its name.
///
/// @throws halfstep::Error  a precision is not to be had, or a run was stopped
template <class Backend>
void run_translate(const TranslateOptions& options);

}  // namespace app
