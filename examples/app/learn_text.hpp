#pragma once

#include <app/compare_precisions.hpp>
#include <app/language_options.hpp>
#include <app/step_log.hpp>
#include <app/write_text.hpp>

#include <limits>

namespace app {

/// A language model's settings and how it is trained, every number said.
template <class Settings>
struct LanguagePlan {
  Settings model;
  halfstep::Index sequences = 16;
  std::int64_t steps = 2000;
  double learning_rate = 1e-3;

  /// What the command line says otherwise.
  void take(const LanguageOptions& options) {
    const auto take = [](auto& to, const auto& said) { to = said.value_or(to); };
    take(model.layers, options.layers);
    take(model.width, options.width);
    take(model.context, options.context);
    take(model.dropout, options.dropout);
    take(sequences, options.sequences);
    take(steps, options.steps);
    take(learning_rate, options.learning_rate);
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

/// Trains a model on a text's characters and validates it now and then, in the end on the whole
/// validation text.
///
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Model, class Setup, class Settings>
TrainingResult learn_text(const Run<Setup>& run, const std::string& name,
                          const LanguageOptions& options, const LanguagePlan<Settings>& plan,
                          const CharacterText& text, const std::string& prompt) {
  Model model(plan.model);
  model.initialise(run.seed());
  const halfstep::optim::AdamW rule{
      .learning_rate = plan.learning_rate, .beta2 = 0.99, .weight_decay = 0.1};
  const std::int64_t warm_up = std::clamp<std::int64_t>(plan.steps / 10, 1, 100);
  const halfstep::optim::WarmUp schedule{
      warm_up, halfstep::optim::Cosine{.steps = std::max<std::int64_t>(1, plan.steps - warm_up),
                                       .floor = 0.1}};
  halfstep::Trainer trainer(model, rule, {.clip_norm = 1.0, .decay_vectors = false}, schedule,
                            run.scaling);
  halfstep::RandomStream random(run.seed());
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);
  const auto tokens = static_cast<double>(plan.sequences * plan.model.context);

  StepLog<Setup> log(run, name, "tokens");
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

/// All of a program that trains a language model on one backend.
///
/// @tparam Model  Model<Setup>(plan.model) is the model
/// @param name    the program's is "char_" and this
/// @param own     what the model's settings have that others' have not, for the line of the run
/// @throws halfstep::Error  a precision is not to be had, the text cannot be used, or a run was
///                          stopped
template <template <class> class Model, class Backend, class Settings>
void run_language_model(const std::string& name, const LanguageOptions& options,
                        LanguagePlan<Settings> plan, const Json& own = Json::object()) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const CharacterText text = CharacterText::read(options.data);
  plan.model.vocabulary = text.vocabulary();
  require_long_enough(text, plan.model.context);
  // What cannot be prompted is told before anything is trained.
  const std::string prompt = options.prompt.value_or(text.opening());
  text.encode(prompt);
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  Json said{{"event", "run"},
            {"program", "char_" + name},
            {"data", options.data},
            {"training_characters", text.training().size()},
            {"validation_characters", text.validation().size()},
            {"vocabulary", text.vocabulary()},
            {"layers", plan.model.layers},
            {"width", plan.model.width},
            {"context", plan.model.context},
            {"batch", plan.sequences},
            {"steps", plan.steps},
            {"learning_rate", plan.learning_rate},
            {"dropout", plan.model.dropout},
            {"backend", Backend::name},
            {"precisions", precisions},
            {"seed", options.seed},
            {"threads", halfstep::threads()}};
  said.update(own);
  json.write(said);

  compare_precisions<Backend>(
      precisions, options, progress, json, [&]<class Setup>(const Run<Setup>& run) {
        return learn_text<Model<Setup>>(run, name, options, plan, text, prompt);
      });
}

}  // namespace app
