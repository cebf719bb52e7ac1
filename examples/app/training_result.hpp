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

/// A figure that a task is judged by: the accuracy of a classifier, the loss of a language model.
struct Score {
  std::string key;      ///< in JSON: "test_accuracy"
  std::string heading;  ///< in the table: "test\naccuracy"
  double value = 0.0;
  std::string text;  ///< the value as the table has it
};

/// A share as a score, in per cent.
inline Score share_score(const std::string& key, const std::string& heading, double share) {
  return {key, heading, share, fixed(100.0 * share, 2) + " %"};
}
/// A loss or another number as a score, with three digits.
inline Score number_score(const std::string& key, const std::string& heading, double value) {
  return {key, heading, value, fixed(value, 3)};
}

/// What one training run came to.
struct TrainingResult {
  std::string precision;
  std::string model;
  std::string backend;
  std::int64_t seed = 0;
  std::vector<Score> scores;  ///< the same ones in every run of a program
  double final_loss = 0.0;    ///< the mean training loss of the last epoch or the last steps
  double median_step_ms = 0.0;
  std::string unit = "samples";   ///< of what is trained on
  double units_per_second = 0.0;  ///< over the whole training, evaluation left out
  std::int64_t parameter_bytes = 0;
  std::int64_t optimizer_bytes = 0;   ///< masters and moments
  std::int64_t activation_bytes = 0;  ///< what forward keeps for backward
  std::int64_t skipped_steps = 0;
  double loss_scale = 1.0;
  bool stopped = false;  ///< too many steps in a row were skipped: there is no result
  std::string shown;     ///< printed below the table: what the model writes, say

  Json json() const {
    Json line{{"event", "result"},
              {"precision", precision},
              {"model", model},
              {"backend", backend},
              {"seed", seed}};
    for (const Score& score : scores) line[score.key] = score.value;
    line.update({{"final_loss", final_loss},
                 {"median_step_ms", median_step_ms},
                 {unit + "_per_second", units_per_second},
                 {"parameter_bytes", parameter_bytes},
                 {"optimizer_bytes", optimizer_bytes},
                 {"activation_bytes", activation_bytes},
                 {"skipped_steps", skipped_steps},
                 {"loss_scale", loss_scale}});
    return line;
  }
};

/// A row a precision; speed is fp32's median step over this one's.
inline void print_table(std::ostream& out, const std::vector<TrainingResult>& results) {
  const TrainingResult* whole = nullptr;  // one that ended tells what the columns are
  std::optional<double> fp32_ms;
  for (const TrainingResult& result : results) {
    if (result.stopped) continue;
    whole = &result;
    if (result.precision == "fp32") fp32_ms = result.median_step_ms;
  }
  std::vector<std::string> headings{"precision"};
  if (whole != nullptr)
    for (const Score& score : whole->scores) headings.push_back(score.heading);
  headings.insert(headings.end(), {"final\nloss", "median\nstep",
                                   (whole != nullptr ? whole->unit : std::string("samples")) + "/s",
                                   "speed\nvs fp32", "weights +\noptimizer", "activations",
                                   "skipped\nsteps", "final\nloss scale"});
  Table table(headings);
  for (const TrainingResult& r : results) {
    if (r.stopped) {
      table.add({r.precision, "stopped"});
      continue;
    }
    std::vector<std::string> row{r.precision};
    for (const Score& score : r.scores) row.push_back(score.text);
    row.insert(row.end(), {fixed(r.final_loss, 4), fixed(r.median_step_ms, 2) + " ms",
                           grouped(std::llround(r.units_per_second)),
                           fp32_ms ? fixed(*fp32_ms / r.median_step_ms, 2) + "x" : "-",
                           bytes(static_cast<double>(r.parameter_bytes + r.optimizer_bytes)),
                           bytes(static_cast<double>(r.activation_bytes)), grouped(r.skipped_steps),
                           grouped(std::llround(r.loss_scale))});
    table.add(row);
  }
  out << "Mixed precision halves activations; weights and optimizer stay as large as in fp32 or\n"
         "larger, for an FP32 master is kept beside each 16-bit weight.\n\n"
      << table;
  for (const TrainingResult& result : results)
    if (!result.shown.empty()) out << "\n" << result.shown << "\n";
}

}  // namespace app
