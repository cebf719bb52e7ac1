#pragma once

#include <app/backends.hpp>
#include <app/classifiers.hpp>
#include <app/mnist_run.hpp>
#include <app/optimizers.hpp>
#include <app/train_classifier.hpp>

#include <optional>

namespace app {

template <template <class> class Classifier, class Backend>
void run_mnist(const Options& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const auto data = halfstep::data::mnist(options.data);
  // The file is made before anything is trained.
  std::optional<halfstep::Telemetry> telemetry;
  if (!options.telemetry.empty())
    telemetry.emplace(halfstep::TelemetrySettings{.every = 50, .file = options.telemetry});
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  json.write({{"event", "run"},
              {"program", "mnist"},
              {"data", options.data},
              {"training_samples", data.first.size()},
              {"test_samples", data.second.size()},
              {"model", options.model},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"epochs", options.epochs},
              {"batch", options.batch},
              {"optimizer", options.optimizer},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  // A precision that is stopped leaves the others their turn, and the run fails at its end.
  std::vector<TrainingResult> results;
  std::string failure;
  for (const std::string& precision : precisions) {
    if (telemetry) telemetry->start(precision);
    try {
      halfstep::with_precision<Backend>(precision, [&](auto policy) {
        using Setup = halfstep::Setup<decltype(policy), Backend>;
        with_optimizer(options, [&](const auto& rule) {
          results.push_back(train_classifier<Classifier<Setup>>(options, rule, data.first,
                                                                data.second, progress, json,
                                                                telemetry ? &*telemetry : nullptr));
        });
      });
      json.write(results.back().json());
    } catch (const halfstep::NonFiniteError& error) {
      TrainingResult& result = results.emplace_back();
      result.precision = precision;
      result.stopped = true;
      json.write({{"event", "error"}, {"precision", precision}, {"message", error.what()}});
      if (failure.empty()) failure = precision + ": " + error.what();
    }
    if (telemetry) {
      progress.clear();
      progress.out() << "\n" << telemetry->table() << "\n";
    }
  }
  progress.clear();
  progress.out() << "\n";
  print_table(progress.out(), results);
  if (!failure.empty()) halfstep::fail<halfstep::NonFiniteError>(failure);
}

}  // namespace app
