#pragma once

#include <app/backends.hpp>
#include <app/char_gpt_run.hpp>
#include <app/gpt.hpp>
#include <app/language_result.hpp>
#include <app/parameter_bytes.hpp>
#include <app/progress.hpp>
#include <app/timing.hpp>
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
LanguageResult train_char_gpt(const CharGptOptions& options, const CharGptPlan& plan,
                              const CharacterText& text, const std::string& prompt,
                              Progress& progress, JsonLines& json) {
  LanguageResult result;
  result.precision = Setup::Precision::name;
  result.model = "gpt";
  result.backend = Setup::Backend::name;
  result.seed = options.seed;
  const auto seed = static_cast<std::uint64_t>(options.seed);
  Gpt<Setup> model(plan.model);
  model.initialise(seed);
  const halfstep::optim::AdamW rule{
      .learning_rate = plan.learning_rate, .beta2 = 0.99, .weight_decay = 0.1};
  const halfstep::optim::WarmUp schedule{
      plan.warm_up,
      halfstep::optim::Cosine{.steps = std::max<std::int64_t>(1, plan.steps - plan.warm_up),
                              .floor = 0.1}};
  halfstep::Trainer trainer(model, rule, {.clip_norm = 1.0, .decay_vectors = false}, schedule);
  halfstep::RandomStream random(seed);
  const auto validate = [&](halfstep::Index sequences) {
    return mean_over_text(model, text.validation(), plan.model.context, sequences, next_token_loss);
  };
  const auto in_use = [] { return static_cast<std::int64_t>(Setup::Device::pool().use().in_use); };

  std::vector<double> step_ms;
  double training_ms = 0.0;
  double recent_sum = 0.0;
  std::int64_t recent_count = 0;
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);
  for (std::int64_t step = 1; step <= plan.steps; ++step) {
    const Stopwatch watch;
    const auto batch =
        random_batch<Setup>(text.training(), plan.sequences, plan.model.context, random);
    const std::int64_t before = in_use();
    const auto report = trainer.step(batch, [&](const auto& model, const auto& batch) {
      auto loss = next_token_loss(model, batch);
      // The first step also made what stays: gradients, moments, plans.
      if (step == std::min<std::int64_t>(2, plan.steps))
        result.activation_bytes = in_use() - before;
      return loss;
    });
    const double loss = report.loss();  // waits for the step
    step_ms.push_back(watch.milliseconds());
    training_ms += step_ms.back();
    if (report.applied()) {
      recent_sum += loss;
      ++recent_count;
    }
    const std::string where = result.precision + std::string(12 - result.precision.size(), ' ') +
                              "step " + std::to_string(step) + "/" + std::to_string(plan.steps);
    if (progress.wants_state()) progress.state(where + "  loss " + fixed(loss, 3));
    if (step % between != 0 && step != plan.steps) continue;

    const bool last = step == plan.steps;
    result.validation_loss = validate(last ? std::numeric_limits<halfstep::Index>::max() : 128);
    result.final_loss = recent_count > 0 ? recent_sum / static_cast<double>(recent_count)
                                         : std::numeric_limits<double>::quiet_NaN();
    result.skipped_steps = trainer.skipped_steps();
    result.loss_scale = trainer.loss_scale();
    recent_sum = 0.0;
    recent_count = 0;
    progress.milestone(where + "  loss " + fixed(result.final_loss, 3) + "  validation " +
                       fixed(result.validation_loss, 3));
    json.write({{"event", "evaluation"},
                {"precision", result.precision},
                {"step", step},
                {"loss", result.final_loss},
                {"validation_loss", result.validation_loss},
                {"skipped_steps", result.skipped_steps},
                {"loss_scale", result.loss_scale}});
  }
  const double tokens =
      static_cast<double>(plan.steps) * static_cast<double>(plan.sequences * plan.model.context);
  result.tokens_per_second = 1e3 * tokens / training_ms;
  result.median_step_ms = median(step_ms);
  result.parameter_bytes = parameter_bytes(model);
  result.optimizer_bytes = static_cast<std::int64_t>(trainer.optimizer().optimizer_bytes());
  if (options.sample > 0)
    result.sample = write_text(model, text, prompt, options.sample, options.temperature, seed);
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

  // A precision that is stopped leaves the others their turn, and the run fails at its end.
  std::vector<LanguageResult> results;
  std::string failure;
  for (const std::string& precision : precisions) {
    try {
      halfstep::with_precision<Backend>(precision, [&](auto policy) {
        using Setup = halfstep::Setup<decltype(policy), Backend>;
        results.push_back(train_char_gpt<Setup>(options, plan, text, prompt, progress, json));
      });
      json.write(results.back().json());
      if (options.sample > 0)
        json.write(
            {{"event", "sample"}, {"precision", precision}, {"text", results.back().sample}});
    } catch (const halfstep::NonFiniteError& error) {
      LanguageResult& result = results.emplace_back();
      result.precision = precision;
      result.stopped = true;
      json.write({{"event", "error"}, {"precision", precision}, {"message", error.what()}});
      if (failure.empty()) failure = precision + ": " + error.what();
    }
  }
  progress.clear();
  progress.out() << "\n";
  print_table(progress.out(), results);
  for (const LanguageResult& result : results)
    if (!result.sample.empty())
      progress.out() << "\n--- " << result.precision << " writes:" << result.sample << "\n";
  if (!failure.empty()) halfstep::fail<halfstep::NonFiniteError>(failure);
}

}  // namespace app
