// What telemetry costs: a sampled step, and one that is not, beside a step without telemetry, by
// turns. A sampled step is to take at most 1.5 steps. build/bin/telemetry --help
#include "measure/samples.hpp"
#include "training/mlp.hpp"

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

namespace {

using Backend = halfstep::backend::Default;

struct Options {
  std::string model = "mlp";
  int threads = halfstep::threads();
  double seconds = 5.0;
  bool json = false;
};

struct Figures {
  measure::Samples plain;
  measure::Samples not_sampled;
  measure::Samples sampled;
};

template <class Policy>
Figures measure_telemetry(const Options& options) {
  using Setup = halfstep::Setup<Policy, Backend>;
  Figures figures;
  const training::MlpCase c(training::StepOptions{.model = options.model});
  const training::MlpCase::Loss loss;
  training::MlpCase::Model<Setup> model(c);
  model.initialise(1);
  // As slow as in training_step, and for the same reason.
  halfstep::Trainer trainer(model, halfstep::optim::AdamW{.learning_rate = 1e-6});
  halfstep::Telemetry telemetry({.every = 2, .file = "/dev/null"});
  const auto batch = c.random_batch<Setup>(1);
  const auto seconds_of_step = [&](halfstep::Telemetry* observer) {
    trainer.observe(observer);
    return measure::seconds([&] { trainer.step(batch, loss); });
  };
  for (int warm_up = 0; warm_up < 4; ++warm_up) seconds_of_step(&telemetry);
  double total = 0.0;
  for (int round = 0; round < 5 || total < options.seconds; ++round) {
    total += measure::seconds([&] {
      figures.plain.add(seconds_of_step(nullptr));
      figures.sampled.add(seconds_of_step(&telemetry));
      figures.not_sampled.add(seconds_of_step(&telemetry));
    });
  }
  return figures;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App line("Measures what telemetry costs a training step.", "telemetry");
  line.add_option("--model", options.model, "mlp or mlp_wide")
      ->check(CLI::IsMember({"mlp", "mlp_wide"}))
      ->capture_default_str();
  line.add_option("--threads", options.threads, "threads (default: all processors)")
      ->check(app::at_least(1));
  line.add_option("--seconds", options.seconds, "how long to measure each precision")
      ->check(app::positive_number())
      ->capture_default_str();
  line.add_flag("--json", options.json, "print one JSON object a precision");
  return app::run(line, count, arguments, [&] {
    halfstep::set_threads(options.threads);
    app::Table table({options.model + ", " + std::to_string(options.threads) + " threads",
                      "plain step", "not sampled", "sampled", "ratio", "of bests"});
    const auto add = [&](std::string_view precision, const Figures& figures) {
      const double plain = figures.plain.median();
      const double ratio = figures.sampled.median() / plain;
      const double best_ratio = figures.sampled.best() / figures.plain.best();
      if (options.json)
        app::JsonLines("-").write({{"precision", precision},
                                   {"plain_ms", 1e3 * plain},
                                   {"not_sampled_ms", 1e3 * figures.not_sampled.median()},
                                   {"sampled_ms", 1e3 * figures.sampled.median()},
                                   {"ratio", ratio},
                                   {"ratio_of_bests", best_ratio}});
      const auto ms = [](double seconds) { return app::fixed(1e3 * seconds, 3) + " ms"; };
      table.add({std::string(precision), ms(plain), ms(figures.not_sampled.median()),
                 ms(figures.sampled.median()), app::fixed(ratio, 2), app::fixed(best_ratio, 2)});
    };
    add("fp32", measure_telemetry<halfstep::Fp32>(options));
    add("mixed_bf16", measure_telemetry<halfstep::MixedBf16>(options));
    add("mixed_fp16", measure_telemetry<halfstep::MixedFp16>(options));
    if (!options.json) std::cout << table;
  });
}
