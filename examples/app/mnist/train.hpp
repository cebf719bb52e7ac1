#pragma once

#include <app/compare_precisions.hpp>
#include <app/mnist/classifiers.hpp>
#include <app/mnist/images.hpp>
#include <app/mnist/run.hpp>
#include <app/mnist/train_classifier.hpp>
#include <app/optimizers.hpp>

#include <optional>

namespace app {

template <template <class> class Classifier, class Backend>
void run_mnist(const Options& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const auto data = read_images(options.data);
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

  compare_precisions<Backend>(
      precisions, options, progress, json, [&]<class Setup>(const Run<Setup>& run) {
        TrainingResult result;
        const auto tell = [&] {
          if (!telemetry) return;
          progress.clear();
          progress.out() << "\n" << telemetry->table() << "\n";
        };
        if (telemetry) telemetry->start(run.precision);
        try {
          using Model = Classifier<Setup>;
          with_optimizer(options, Model::recipe.rate_factor, [&](const auto& rule) {
            result = train_classifier<Model>(run, rule, data.first, data.second,
                                             telemetry ? &*telemetry : nullptr);
          });
        } catch (const halfstep::NonFiniteError&) {
          tell();
          throw;
        }
        tell();
        return result;
      });
}

}  // namespace app
