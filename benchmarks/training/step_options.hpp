#pragma once

#include <halfstep/tensor/shape.hpp>

#include <cstdint>
#include <string>

namespace training {

struct StepOptions {
  std::string model = "mlp";
  std::string precision = "fp32";
  std::string backend;
  int threads = 2;
  double seconds = 10.0;
  int batch = 0;             ///< samples in a step; 0: the model's own
  double peak_tflops = 0.0;  ///< of the machine, in the precision's products; 0: nobody said
  bool json = false;

  halfstep::Index batch_or(halfstep::Index own) const { return batch > 0 ? batch : own; }
};

/// What a measurement of training steps found; milliseconds are medians unless they say best.
struct StepFigures {
  double median_ms = 0.0;
  double best_ms = 0.0;
  double samples_per_second = 0.0;
  double tokens_per_second = 0.0;  ///< 0 for models that read none
  std::int64_t parameters = 0;
  double model_tflops = 0.0;  ///< what the model's own arithmetic comes to, a second
  double gemm_ms = 0.0;       ///< 0 on a CPU where oneDNN, the ceiling, is not built in
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
