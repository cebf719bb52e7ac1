#pragma once

#include <app/parameter_bytes.hpp>
#include <app/run.hpp>
#include <app/timing.hpp>
#include <app/training_result.hpp>

#include <halfstep/halfstep.hpp>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace app {

/// Where a run is: step 250 of 1000, or epoch 3 of 10.
struct Place {
  std::string kind;
  std::int64_t number = 0;
  std::int64_t of = 0;

  std::string text() const {
    return kind + " " + std::to_string(number) + "/" + std::to_string(of);
  }
};

/// Takes a run's steps and keeps its figures: times, losses, what forward keeps for backward. Shows
/// how far it is and writes a line for each evaluation. Its clock runs from when it is made.
template <class Setup>
class StepLog {
 public:
  /// @param unit  of what is trained on: samples, tokens
  StepLog(const Run<Setup>& run, const std::string& model, const std::string& unit = "samples")
      : run_(run) {
    result_.precision = run.precision;
    result_.model = model;
    result_.backend = Setup::Backend::name;
    result_.seed = run.options.seed;
    result_.unit = unit;
  }

  /// A step of a trainer on a batch of so many units. Waits for it.
  template <class Trainer, class Batch, class Loss>
  void step(const Place& place, Trainer& trainer, const Batch& batch, double units,
            const Loss& loss) {
    const Stopwatch watch;
    const std::int64_t before = in_use();
    const auto report = trainer.step(batch, [&](const auto& model, const auto& batch) {
      auto value = loss(model, batch);
      // The first step also made what stays: gradients, moments, plans.
      if (steps_ms_.size() <= 1) result_.activation_bytes = in_use() - before;
      return value;
    });
    const double value = report.loss();  // waits for the step
    add(place, watch.milliseconds(), value, report.applied(), units);
  }

  /// A step that the program took by itself.
  void add(const Place& place, double milliseconds, double loss, bool applied, double units) {
    steps_ms_.push_back(milliseconds);
    recent_ms_.push_back(milliseconds);
    training_ms_ += since_step_.milliseconds();
    since_step_ = Stopwatch();
    units_ += units;
    if (applied) {
      loss_sum_ += units * loss;
      loss_units_ += units;
    }
    if (run_.progress.wants_state())
      run_.progress.state(run_.label() + place.text() + "  loss " + fixed(loss, 4));
  }

  /// What an evaluation came to; the time that it took is nobody's step. The line's event is
  /// `epoch` where epochs are counted, else `evaluation`.
  template <class Trainer>
  void evaluated(const Place& place, const Trainer& trainer, std::vector<Score> scores) {
    result_.final_loss =
        loss_units_ > 0.0 ? loss_sum_ / loss_units_ : std::numeric_limits<double>::quiet_NaN();
    result_.scores = std::move(scores);
    result_.skipped_steps = trainer.skipped_steps();
    result_.loss_scale = trainer.loss_scale();
    const double step_ms = median(recent_ms_);
    std::string text = run_.label() + place.text() + "  loss " + fixed(result_.final_loss, 4);
    Json line{{"event", place.kind == "epoch" ? "epoch" : "evaluation"},
              {"precision", result_.precision},
              {place.kind, place.number},
              {"loss", result_.final_loss}};
    for (const Score& score : result_.scores) {
      line[score.key] = score.value;
      std::string name = score.key;
      for (char& c : name)
        if (c == '_') c = ' ';
      text += "  " + name + " " + score.text;
    }
    line.update({{"median_step_ms", step_ms},
                 {"skipped_steps", result_.skipped_steps},
                 {"loss_scale", result_.loss_scale}});
    run_.progress.milestone(text + "  step " + fixed(step_ms, 2) + " ms");
    run_.json.write(line);
    recent_ms_.clear();
    loss_sum_ = loss_units_ = 0.0;
    since_step_ = Stopwatch();
  }

  /// The figures of the whole run.
  template <class Trainer>
  TrainingResult result(Trainer& trainer) {
    result_.median_step_ms = median(steps_ms_);
    result_.units_per_second = 1e3 * units_ / training_ms_;
    result_.parameter_bytes = parameter_bytes(trainer.model());
    result_.optimizer_bytes = static_cast<std::int64_t>(trainer.optimizer().optimizer_bytes());
    return result_;
  }

 private:
  static std::int64_t in_use() {
    return static_cast<std::int64_t>(Setup::Device::pool().use().in_use);
  }

  const Run<Setup>& run_;
  TrainingResult result_;
  std::vector<double> steps_ms_, recent_ms_;
  Stopwatch since_step_;  ///< or since an evaluation: making a batch is part of training
  double training_ms_ = 0.0;
  double units_ = 0.0;
  double loss_sum_ = 0.0, loss_units_ = 0.0;
};

}  // namespace app
