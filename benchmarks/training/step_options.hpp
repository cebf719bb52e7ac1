#pragma once

#include <app/json_lines.hpp>

#include <cstdint>
#include <string>

namespace training {

struct StepOptions {
  std::string model = "mlp";
  std::string precision = "fp32";
  std::string backend;
  int threads = 2;
  double seconds = 10.0;
  bool json = false;
};

/// What a measurement of training steps found; milliseconds are medians unless they say best.
struct StepFigures {
  double median_ms = 0.0;
  double best_ms = 0.0;
  double samples_per_second = 0.0;
  double gemm_ms = 0.0;  ///< 0 where oneDNN, the ceiling, is not built in
  double copy_gb_per_second = 0.0;
  double limit_ms = 0.0;
  double optimizer_ms = 0.0;
  std::int64_t activation_bytes = 0;  ///< what forward keeps for backward
  std::int64_t peak_bytes = 0;
};

/// Trains a case's model on random data on one backend and measures its steps.
///
/// Each case on each backend is compiled by itself, in training/<case>_<backend>.cpp: together they
/// take minutes.
/// @throws halfstep::Error  the precision is not to be had on the backend
template <class Case, class Backend>
StepFigures measure_training(const StepOptions& options);

}  // namespace training
