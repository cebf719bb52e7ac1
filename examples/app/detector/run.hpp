#pragma once

#include <app/options.hpp>

#include <array>
#include <optional>

namespace app {

/// What detector can be told beside the options that training programs share. What is not said is
/// the preset's.
struct DetectorOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> canvases, steps, test_canvases;
};

inline constexpr std::array detector_presets{"full", "small"};

/// All of detector on one backend: trains in each precision and prints the table. Each backend is
/// compiled by itself, in <backend>.cpp.
///
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <class Backend>
void run_detector(const DetectorOptions& options);

}  // namespace app
