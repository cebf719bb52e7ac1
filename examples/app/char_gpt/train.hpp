#pragma once

#include <app/char_gpt/gpt.hpp>
#include <app/char_gpt/run.hpp>
#include <app/compare_precisions.hpp>
#include <app/step_log.hpp>
#include <app/write_text.hpp>

#include <limits>

namespace app {

/// What a run is, every number said.
struct CharGptPlan {
  GptSettings model;
  halfstep::Index sequences = 16;
  std::int64_t steps = 2000;
  double learning_rate = 1e-3;
  std::int64_t warm_up = 100;

  /// The preset's, and what the command line says otherwise.
  static CharGptPlan of(const CharGptOptions& options, halfstep::Index vocabulary) {
    CharGptPlan plan;
    if (options.preset == "small") {
      plan = {{.layers = 2, .heads = 4, .width = 128, .context = 64}, 32, 1000, 3e-3};
    } else {
      plan.model.dropout = 0.1;
    }
    const auto take = [](auto& to, const auto& said) { to = said.value_or(to); };
    plan.model.vocabulary = vocabulary;
    take(plan.model.layers, options.layers);
    take(plan.model.heads, options.heads);
    take(plan.model.width, options.width);
    take(plan.model.context, options.context);
    take(plan.model.dropout, options.dropout);
    plan.model.tied = options.tied;
    plan.model.recompute = options.recompute;
    take(plan.sequences, options.sequences);
    take(plan.steps, options.steps);
    take(plan.learning_rate, options.learning_rate);
    plan.warm_up = std::clamp<std::int64_t>(plan.steps / 10, 1, 100);
    return plan;
  }
};

/// @throws halfstep::DataError  a part of the text is shorter than one sequence
inline void require_long_enough(const CharacterText& text, halfstep::Index context) {
  for (const auto& [part, tokens] :
       {std::pair{"training", text.training()}, std::pair{"validation", text.validation()}})
    if (static_cast<halfstep::Index>(tokens.size()) <= context)
      halfstep::fail<halfstep::DataError>("the ", part, " text has ", tokens.size(),
                                          " characters and the context is ", context,
                                          "; use more text or a shorter --context");
}

/// Trains a character model and validates it now and then, in the end on the whole validation text.
///
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Setup>
TrainingResult train_char_gpt(const Run<Setup>& run, const CharGptOptions& options,
                              const CharGptPlan& plan, const CharacterText& text,
                              const std::string& prompt) {
  Gpt<Setup> model(plan.model);
  model.initialise(run.seed());
  const halfstep::optim::AdamW rule{
      .learning_rate = plan.learning_rate, .beta2 = 0.99, .weight_decay = 0.1};
  const halfstep::optim::WarmUp schedule{
      plan.warm_up,
      halfstep::optim::Cosine{.steps = std::max<std::int64_t>(1, plan.steps - plan.warm_up),
                              .floor = 0.1}};
  halfstep::Trainer trainer(model, rule, {.clip_norm = 1.0, .decay_vectors = false}, schedule,
                            run.scaling);
  halfstep::RandomStream random(run.seed());
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);
  const auto tokens = static_cast<double>(plan.sequences * plan.model.context);

  StepLog<Setup> log(run, "gpt", "tokens");
  for (std::int64_t step = 1; step <= plan.steps; ++step) {
    const Place place{"step", step, plan.steps};
    log.step(place, trainer,
             random_batch<Setup>(text.training(), plan.sequences, plan.model.context, random),
             tokens, next_token_loss);
    const bool last = step == plan.steps;
    if (step % between != 0 && !last) continue;
    const halfstep::Index most = last ? std::numeric_limits<halfstep::Index>::max() : 128;
    log.evaluated(place, trainer,
                  {number_score("validation_loss", "validation\nloss",
                                mean_over_text(model, text.validation(), plan.model.context, most,
                                               next_token_loss))});
  }
  TrainingResult result = log.result(trainer);
  if (options.sample > 0) {
    const std::string sample =
        write_text(model, text, prompt, options.sample, options.temperature, run.seed());
    result.shown = "--- " + run.precision + " writes:" + sample;
    run.json.write({{"event", "sample"}, {"precision", run.precision}, {"text", sample}});
  }
  return result;
}

template <class Backend>
void run_char_gpt(const CharGptOptions& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const CharacterText text = CharacterText::read(options.data);
  const CharGptPlan plan = CharGptPlan::of(options, text.vocabulary());
  require_long_enough(text, plan.model.context);
  // What cannot be prompted is told before anything is trained.
  const std::string prompt = options.prompt.value_or(text.opening());
  text.encode(prompt);
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  json.write({{"event", "run"},
              {"program", "char_gpt"},
              {"data", options.data},
              {"training_characters", text.training().size()},
              {"validation_characters", text.validation().size()},
              {"vocabulary", text.vocabulary()},
              {"layers", plan.model.layers},
              {"heads", plan.model.heads},
              {"width", plan.model.width},
              {"context", plan.model.context},
              {"batch", plan.sequences},
              {"steps", plan.steps},
              {"learning_rate", plan.learning_rate},
              {"dropout", plan.model.dropout},
              {"tied", plan.model.tied},
              {"recompute", plan.model.recompute},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  compare_precisions<Backend>(precisions, options, progress, json, [&](const auto& run) {
    return train_char_gpt(run, options, plan, text, prompt);
  });
}

}  // namespace app
