#pragma once

#include <app/cartpole/experience.hpp>
#include <app/cartpole/run.hpp>
#include <app/compare_precisions.hpp>
#include <app/step_log.hpp>

#include <halfstep/data/shuffle.hpp>

#include <numeric>

namespace app {

/// Learns to keep poles upright, by turns driving the carts and learning from what came of it.
///
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Setup>
TrainingResult train_cartpole(const Run<Setup>& run, const CartPoleOptions& options,
                              std::int64_t steps) {
  ActorCritic<Setup> model;
  model.initialise(run.seed());
  const std::int64_t each = options.carts * options.rounds;  // steps of a turn
  const std::int64_t turns = (steps + each - 1) / each;
  const std::int64_t batches = (each + options.batch - 1) / options.batch;
  const halfstep::optim::AdamW rule{.learning_rate = options.learning_rate.value_or(2e-3),
                                    .weight_decay = 0.0};
  halfstep::Trainer trainer(
      model, rule, {.clip_norm = 0.5},
      halfstep::optim::Cosine{.steps = turns * options.epochs * batches, .floor = 0.05},
      run.scaling);
  const halfstep::Predictor predict(model);  // sees each update at once
  halfstep::RandomStream random(run.seed());
  Carts carts(static_cast<std::size_t>(options.carts), random);

  StepLog<Setup> log(run, "actor_critic", "steps");
  const std::int64_t between = std::max<std::int64_t>(1, turns / 4);
  for (std::int64_t turn = 1; turn <= turns; ++turn) {
    const Place place{"turn", turn, turns};
    Experience experience = carts.drive(predict, options.rounds);
    judge(experience, predict, static_cast<std::size_t>(options.carts));
    std::vector<std::size_t> order(experience.rows());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (int epoch = 0; epoch < options.epochs; ++epoch) {
      halfstep::data::shuffle(std::span(order), run.seed(),
                              static_cast<std::uint64_t>(turn * options.epochs + epoch));
      for (std::size_t first = 0; first < order.size();
           first += static_cast<std::size_t>(options.batch)) {
        const auto rows = std::span(order).subspan(
            first, std::min(order.size() - first, static_cast<std::size_t>(options.batch)));
        log.step(place, trainer, experience_batch<Setup>(experience, rows),
                 static_cast<double>(rows.size()) / options.epochs, ppo_loss);
      }
    }
    if (turn % between != 0 && turn != turns) continue;
    halfstep::RandomStream starts(run.seed(), 1);
    const double length = Carts(100, starts).mean_episode(predict);
    log.evaluated(place, trainer,
                  {{"mean_episode_length", "episode,\nof 500", length, fixed(length, 1)}});
  }
  return log.result(trainer);
}

template <class Backend>
void run_cartpole(const CartPoleOptions& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const std::int64_t steps = options.steps.value_or(options.preset == "small" ? 200000 : 500000);
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  json.write({{"event", "run"},
              {"program", "cartpole"},
              {"carts", options.carts},
              {"rounds", options.rounds},
              {"epochs", options.epochs},
              {"batch", options.batch},
              {"steps", steps},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  compare_precisions<Backend>(precisions, options, progress, json,
                              [&](const auto& run) { return train_cartpole(run, options, steps); });
}

}  // namespace app
