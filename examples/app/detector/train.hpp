#pragma once

#include <app/compare_precisions.hpp>
#include <app/detector/detect.hpp>
#include <app/detector/model.hpp>
#include <app/detector/run.hpp>
#include <app/step_log.hpp>

namespace app {

/// What a run is, every number said.
struct DetectorPlan {
  std::int64_t canvases = 32;  ///< in a step
  std::int64_t steps = 5000;
  std::int64_t test_canvases = 2000;
  double learning_rate = 2e-3;
  std::int64_t warm_up = 100;

  /// The preset's, and what the command line says otherwise.
  static DetectorPlan of(const DetectorOptions& options) {
    DetectorPlan plan;
    if (options.preset == "small") {
      plan.steps = 1000;
      plan.test_canvases = 1000;
    }
    const auto take = [](auto& to, const auto& said) { to = said.value_or(to); };
    take(plan.canvases, options.canvases);
    take(plan.steps, options.steps);
    take(plan.test_canvases, options.test_canvases);
    take(plan.learning_rate, options.learning_rate);
    plan.warm_up = std::clamp<std::int64_t>(plan.steps / 10, 1, 100);
    return plan;
  }
};

/// So many canvases of a stream of random numbers.
inline std::vector<Canvas> paint(const CanvasPainter& painter, std::int64_t count,
                                 halfstep::RandomStream& random) {
  std::vector<Canvas> canvases;
  for (std::int64_t i = 0; i < count; ++i) canvases.push_back(painter.paint(random));
  return canvases;
}

/// Trains a detector on canvases that are made as it goes, and tests it now and then.
///
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Setup>
TrainingResult train_detector(const Run<Setup>& run, const DetectorPlan& plan,
                              const CanvasPainter& painter, std::span<const Canvas> test) {
  Detector<Setup> model(painter.classes());
  model.initialise(run.seed());
  const halfstep::optim::AdamW rule{.learning_rate = plan.learning_rate};
  const halfstep::optim::WarmUp schedule{
      plan.warm_up,
      halfstep::optim::Cosine{.steps = std::max<std::int64_t>(1, plan.steps - plan.warm_up),
                              .floor = 0.01}};
  // The loss reads logits on the host to choose the negatives: no step can be noted first.
  halfstep::Trainer trainer(model, rule, {.decay_vectors = false, .graph = false}, schedule,
                            run.scaling);
  const std::vector<Box> anchors = Detector<Setup>::anchors();
  halfstep::RandomStream random(run.seed());
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);

  StepLog<Setup> log(run, "ssd", "canvases");
  for (std::int64_t step = 1; step <= plan.steps; ++step) {
    const Place place{"step", step, plan.steps};
    log.step(place, trainer,
             batch_of<Setup>(paint(painter, plan.canvases, random), anchors, painter.classes()),
             static_cast<double>(plan.canvases), detection_loss);
    const bool last = step == plan.steps;
    if (step % between != 0 && !last) continue;
    const auto seen = last ? test : test.first(std::min<std::size_t>(test.size(), 200));
    const std::vector<Finding> findings = detect(model, seen);
    log.evaluated(place, trainer,
                  {share_score("mean_average_precision", "mAP at\nIoU 0.5",
                               mean_average_precision(findings, painter.classes())),
                   share_score("mean_average_precision_75", "mAP at\nIoU 0.75",
                               mean_average_precision(findings, painter.classes(), 0.75f))});
  }
  return log.result(trainer);
}

template <class Backend>
void run_detector(const DetectorOptions& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const DetectorPlan plan = DetectorPlan::of(options);
  const auto [training_digits, test_digits] = halfstep::data::mnist(options.data);
  const CanvasPainter painter(training_digits), test_painter(test_digits);
  // The same test for every seed of training.
  halfstep::RandomStream random(0, 1);
  const std::vector<Canvas> test = paint(test_painter, plan.test_canvases, random);
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  json.write({{"event", "run"},
              {"program", "detector"},
              {"data", options.data},
              {"training_digits", training_digits.size()},
              {"test_digits", test_digits.size()},
              {"test_canvases", plan.test_canvases},
              {"batch", plan.canvases},
              {"steps", plan.steps},
              {"learning_rate", plan.learning_rate},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  compare_precisions<Backend>(precisions, options, progress, json, [&](const auto& run) {
    return train_detector(run, plan, painter, test);
  });
}

}  // namespace app
