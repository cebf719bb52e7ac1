#pragma once

#include <app/options.hpp>

#include <array>
#include <optional>

namespace app {

/// What cartpole can be told beside the options that training programs share. What is not said is
/// the preset's.
struct CartPoleOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> steps;
  std::int64_t carts = 64;
  std::int64_t rounds = 32;
  int epochs = 4;
  std::int64_t batch = 512;
};

inline constexpr std::array cartpole_presets{"full", "small"};

/// All of cartpole on one backend: trains in each precision, prints the table. Each backend is
/// compiled by itself, in the file of its name.
///
/// @throws halfstep::Error  a precision is not to be had, or a run was stopped
template <class Backend>
void run_cartpole(const CartPoleOptions& options);

}  // namespace app
