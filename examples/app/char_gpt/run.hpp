#pragma once

#include <app/language_options.hpp>

namespace app {

/// What char_gpt can be told.
struct CharGptOptions : LanguageOptions {
  std::optional<std::int64_t> heads;
  bool tied = false;
  bool recompute = false;
};

/// All of char_gpt on one backend: trains in each precision, prints the table and a sample of text
/// of each. Each backend is compiled by itself, in the file of its name.
///
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <class Backend>
void run_char_gpt(const CharGptOptions& options);

}  // namespace app
