#pragma once

#include <app/json_lines.hpp>
#include <app/table.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace app {

/// What training a language model came to.
struct LanguageResult {
  std::string precision;
  std::string model;
  std::string backend;
  std::int64_t seed = 0;
  double validation_loss = 0.0;  ///< nats a token
  double final_loss = 0.0;       ///< the mean training loss of the last steps
  double median_step_ms = 0.0;
  double tokens_per_second = 0.0;  ///< over the whole training, validation left out
  std::int64_t parameter_bytes = 0;
  std::int64_t optimizer_bytes = 0;   ///< masters and moments
  std::int64_t activation_bytes = 0;  ///< what forward keeps for backward
  std::int64_t skipped_steps = 0;
  double loss_scale = 1.0;
  bool stopped = false;  ///< too many steps in a row were skipped: there is no result
  std::string sample;    ///< what the model writes

  Json json() const {
    return {{"event", "result"},
            {"precision", precision},
            {"model", model},
            {"backend", backend},
            {"seed", seed},
            {"validation_loss", validation_loss},
            {"final_loss", final_loss},
            {"median_step_ms", median_step_ms},
            {"tokens_per_second", tokens_per_second},
            {"parameter_bytes", parameter_bytes},
            {"optimizer_bytes", optimizer_bytes},
            {"activation_bytes", activation_bytes},
            {"skipped_steps", skipped_steps},
            {"loss_scale", loss_scale}};
  }
};

/// A row a precision; speed is fp32's median step over this one's.
inline void print_table(std::ostream& out, const std::vector<LanguageResult>& results) {
  std::optional<double> fp32_ms;
  for (const LanguageResult& result : results)
    if (result.precision == "fp32" && !result.stopped) fp32_ms = result.median_step_ms;

  Table table({"precision", "validation\nloss", "final\nloss", "median\nstep", "tokens/s",
               "speed\nvs fp32", "weights +\noptimizer", "activations", "skipped\nsteps",
               "final\nloss scale"});
  for (const LanguageResult& r : results) {
    if (r.stopped) {
      table.add({r.precision, "stopped"});
      continue;
    }
    table.add({r.precision, fixed(r.validation_loss, 3), fixed(r.final_loss, 3),
               fixed(r.median_step_ms, 1) + " ms", grouped(std::llround(r.tokens_per_second)),
               fp32_ms ? fixed(*fp32_ms / r.median_step_ms, 2) + "x" : "-",
               bytes(static_cast<double>(r.parameter_bytes + r.optimizer_bytes)),
               bytes(static_cast<double>(r.activation_bytes)), grouped(r.skipped_steps),
               grouped(std::llround(r.loss_scale))});
  }
  out << table;
}

}  // namespace app
