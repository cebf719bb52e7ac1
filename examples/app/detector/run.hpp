#pragma once

#include <app/options.hpp>

#include <optional>

namespace app {

/// What detector can be told beside the options that training programs share. What is not said is
/// the preset's.
struct DetectorOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> canvases, steps, test_canvases;
};

/// All of detector on one backend: trains in each precision and prints the table. Each backend is
/// compiled by itself, in the file of its name.
///
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <class Backend>
void run_detector(const DetectorOptions& options);

}  // namespace app
