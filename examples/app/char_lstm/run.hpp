#pragma once

#include <app/language_options.hpp>

namespace app {

/// All of char_lstm on one backend: trains in each precision, prints the table and a sample of text
/// of each. Each backend is compiled by itself, in the file of its name.
///
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <class Backend>
void run_char_lstm(const LanguageOptions& options);

}  // namespace app
