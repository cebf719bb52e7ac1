#pragma once

#include <app/json_lines.hpp>
#include <app/table.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace app {

/// What an ablation measures besides the loss, to show why a variant fails.
struct Cause {
  std::string key;      ///< in JSON
  std::string heading;  ///< in the table
  bool share = true;    ///< printed in per cent
};

/// Where a variant has nothing of the kind to measure.
inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

/// One training run: the loss before it and after it, and a value for each cause.
struct Trial {
  double first_loss = 0.0;
  double final_loss = 0.0;
  std::vector<double> causes;

  /// The share of the loss that training has left.
  double left() const { return final_loss / first_loss; }
};

/// One way to train, a trial for each seed.
struct Variant {
  std::string name;
  std::vector<Trial> trials;

  /// The mean of something over the seeds.
  template <class Of>
  double mean(const Of& of) const {
    double sum = 0.0;
    for (const Trial& trial : trials) sum += of(trial);
    return sum / static_cast<double>(trials.size());
  }
  /// Whether something holds of every trial.
  template <class Of>
  bool every(const Of& of) const {
    return std::all_of(trials.begin(), trials.end(), of);
  }
  double cause(std::size_t index) const {
    return mean([&](const Trial& trial) { return trial.causes.at(index); });
  }
  double final_loss() const {
    return mean([](const Trial& trial) { return trial.final_loss; });
  }
};

/// A mechanism of mixed precision, trained with and without.
struct Ablation {
  std::string name;
  std::string source;   ///< where the paper has it
  std::string problem;  ///< what is trained, in a line
  std::vector<Cause> causes;
  std::vector<Variant> variants;
  std::string claim;   ///< what must come out, in numbers
  bool holds = false;  ///< whether it did, computed from the trials

  const Variant& variant(const std::string& wanted) const {
    const auto at = std::find_if(variants.begin(), variants.end(),
                                 [&](const Variant& v) { return v.name == wanted; });
    if (at == variants.end()) halfstep::fail<halfstep::UsageError>("there is no ", wanted);
    return *at;
  }
};

/// Which runs are made.
struct AblationSettings {
  std::vector<std::uint64_t> seeds;
};

/// Calls run(seed) for each seed.
template <class Run>
Variant over_seeds(const std::string& name, const AblationSettings& settings, const Run& run) {
  Variant variant{name, {}};
  for (const std::uint64_t seed : settings.seeds) variant.trials.push_back(run(seed));
  return variant;
}

// One unit each, so that they compile beside each other.
Ablation without_master_weights(const AblationSettings& settings);
Ablation without_loss_scaling(const AblationSettings& settings);
Ablation with_16_bit_accumulators(const AblationSettings& settings);
Ablation with_16_bit_gradient_sums(const AblationSettings& settings);

inline std::string scientific(double value) {
  std::ostringstream out;
  out << std::scientific << std::setprecision(2) << value;
  return out.str();
}

/// A share in per cent, with three digits.
inline std::string percent(double share) {
  std::ostringstream out;
  out << std::setprecision(3) << 100.0 * share << " %";
  return out.str();
}

inline void print(std::ostream& out, const Ablation& ablation, const AblationSettings& settings) {
  out << ablation.name << " (" << ablation.source << "): " << ablation.problem << "\n\n";
  std::vector<std::string> headings{"variant", "loss before,\nmean"};
  for (const std::uint64_t seed : settings.seeds)
    headings.push_back("after,\nseed " + std::to_string(seed));
  headings.push_back("left,\nmean");
  for (const Cause& cause : ablation.causes) headings.push_back(cause.heading);
  Table table(headings);
  for (const Variant& variant : ablation.variants) {
    std::vector<std::string> row{
        variant.name,
        scientific(variant.mean([](const Trial& trial) { return trial.first_loss; }))};
    for (const Trial& trial : variant.trials) row.push_back(scientific(trial.final_loss));
    row.push_back(percent(variant.mean([](const Trial& trial) { return trial.left(); })));
    for (std::size_t i = 0; i < ablation.causes.size(); ++i) {
      const double value = variant.cause(i);
      row.push_back(std::isnan(value)          ? "-"
                    : ablation.causes[i].share ? percent(value)
                                               : grouped(std::llround(value)));
    }
    table.add(row);
  }
  out << table << "\n" << ablation.claim << ": " << (ablation.holds ? "yes" : "NO") << "\n\n";
}

inline void write(JsonLines& json, const Ablation& ablation, const AblationSettings& settings) {
  for (const Variant& variant : ablation.variants)
    for (std::size_t i = 0; i < variant.trials.size(); ++i) {
      const Trial& trial = variant.trials[i];
      Json line{{"event", "trial"},
                {"ablation", ablation.name},
                {"variant", variant.name},
                {"seed", settings.seeds[i]},
                {"first_loss", trial.first_loss},
                {"final_loss", trial.final_loss}};
      for (std::size_t j = 0; j < ablation.causes.size(); ++j)
        line[ablation.causes[j].key] = trial.causes[j];
      json.write(line);
    }
  json.write({{"event", "verdict"},
              {"ablation", ablation.name},
              {"claim", ablation.claim},
              {"holds", ablation.holds}});
}

}  // namespace app
