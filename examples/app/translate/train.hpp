#pragma once

#include <app/compare_precisions.hpp>
#include <app/step_log.hpp>
#include <app/translate/model.hpp>
#include <app/translate/run.hpp>

namespace app {

/// What a run is, every number said.
struct TranslatePlan {
  halfstep::Index width = 256;
  halfstep::Index pairs = 64;  ///< of texts in a step
  std::int64_t steps = 6000;
  double learning_rate = 2e-3;
  double dropout = 0.1;

  /// The preset's, and what the command line says otherwise.
  static TranslatePlan of(const TranslateOptions& options) {
    TranslatePlan plan;
    if (options.preset == "small")
      plan = {.width = 128, .pairs = 64, .steps = 1000, .learning_rate = 4e-3, .dropout = 0.0};
    const auto take = [](auto& to, const auto& said) { to = said.value_or(to); };
    take(plan.width, options.width);
    take(plan.pairs, options.pairs);
    take(plan.steps, options.steps);
    take(plan.learning_rate, options.learning_rate);
    take(plan.dropout, options.dropout);
    return plan;
  }
};

/// Dates to translate, with what is right.
template <class Backend>
struct DateBatch {
  using Tokens = halfstep::TensorOf<std::int32_t, Backend>;
  SourceBatch<Backend> source;
  Tokens before;  ///< [batch, time]: the start, and the right characters but the last
  Tokens right;   ///< [batch, time]

  explicit DateBatch(const std::vector<DatePair>& pairs)
      : source(texts(pairs)), before(shape(pairs)), right(shape(pairs)) {
    std::vector<std::int32_t> from, to;
    for (const DatePair& pair : pairs) {
      const auto iso = iso_alphabet.encode(pair.iso);
      from.push_back(0);
      from.insert(from.end(), iso.begin(), iso.end() - 1);
      to.insert(to.end(), iso.begin(), iso.end());
    }
    Backend::upload(std::span<const std::int32_t>(from), before.data());
    Backend::upload(std::span<const std::int32_t>(to), right.data());
  }

 private:
  static std::vector<std::vector<std::int32_t>> texts(const std::vector<DatePair>& pairs) {
    std::vector<std::vector<std::int32_t>> result;
    for (const DatePair& pair : pairs) result.push_back(written_alphabet.encode(pair.written));
    return result;
  }
  static halfstep::Shape shape(const std::vector<DatePair>& pairs) {
    return {static_cast<halfstep::Index>(pairs.size()), iso_length};
  }
};

inline std::vector<DatePair> draw_dates(std::size_t count, bool held_out,
                                        halfstep::RandomStream& random) {
  std::vector<DatePair> pairs(count);
  for (DatePair& pair : pairs) pair = Dates::draw(held_out, random);
  return pairs;
}

/// Mean cross-entropy of the right characters, each after the right ones before it, in nats.
inline constexpr auto translation_loss = [](const auto& model, const auto& batch) {
  return halfstep::cross_entropy(model.decode(model.encode(batch.source), batch.before),
                                 batch.right);
};

/// What a model makes of written dates.
template <class Model>
std::vector<std::string> translate(const Model& model,
                                   const SourceBatch<typename Model::Backend>& source) {
  std::vector<std::string> texts;
  for (const auto& numbers : write_greedily(model, source, iso_length)) {
    std::string& text = texts.emplace_back();
    for (const std::int32_t number : numbers) text += iso_alphabet.decode(number);
  }
  return texts;
}

/// How a model does on dates of days that it was not trained on.
struct TranslationScores {
  double exact = 0.0;  ///< the share of dates that are right in all characters
  double loss = 0.0;
};

template <class Model>
TranslationScores evaluate_translator(const Model& model, const std::vector<DatePair>& pairs) {
  constexpr std::size_t together = 250;
  const halfstep::inference scope;
  TranslationScores scores;
  for (std::size_t first = 0; first < pairs.size(); first += together) {
    const std::vector<DatePair> some(
        pairs.begin() + static_cast<std::ptrdiff_t>(first),
        pairs.begin() + static_cast<std::ptrdiff_t>(std::min(pairs.size(), first + together)));
    const DateBatch<typename Model::Backend> batch(some);
    scores.loss +=
        static_cast<double>(halfstep::train::to_host(translation_loss(model, batch)).at(0)) *
        static_cast<double>(some.size());
    const auto texts = translate(model, batch.source);
    for (std::size_t i = 0; i < some.size(); ++i) scores.exact += texts[i] == some[i].iso ? 1 : 0;
  }
  scores.loss /= static_cast<double>(pairs.size());
  scores.exact /= static_cast<double>(pairs.size());
  return scores;
}

/// What a model makes of dates, a line each.
template <class Setup, class Model>
std::string show_translations(const Run<Setup>& run, const Model& model,
                              const std::vector<DatePair>& pairs) {
  std::vector<std::vector<std::int32_t>> texts;
  std::size_t longest = 0;
  for (const DatePair& pair : pairs) {
    texts.push_back(written_alphabet.encode(pair.written));
    longest = std::max(longest, pair.written.size());
  }
  const auto translations = translate(model, SourceBatch<typename Setup::Backend>(texts));
  std::string shown = "--- " + run.precision + " translates:";
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    shown += "\n" + pairs[i].written + std::string(longest - pairs[i].written.size(), ' ') + "  " +
             translations[i];
    const bool is_wrong = !pairs[i].iso.empty() && translations[i] != pairs[i].iso;
    if (is_wrong) shown += "  wrong: " + pairs[i].iso;
    run.json.write({{"event", "translation"},
                    {"precision", run.precision},
                    {"written", pairs[i].written},
                    {"translation", translations[i]}});
  }
  return shown;
}

/// Trains a translator and tests it now and then.
///
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Setup>
TrainingResult train_translator(const Run<Setup>& run, const TranslatePlan& plan,
                                const std::vector<DatePair>& held_out,
                                const std::vector<DatePair>& shown) {
  using Backend = typename Setup::Backend;
  Translator<Setup> model(plan.width, plan.dropout);
  model.initialise(run.seed());
  const std::int64_t warm_up = std::clamp<std::int64_t>(plan.steps / 10, 1, 100);
  halfstep::Trainer trainer(
      model, halfstep::optim::AdamW{.learning_rate = plan.learning_rate}, {.clip_norm = 1.0},
      halfstep::optim::WarmUp{
          warm_up, halfstep::optim::Cosine{.steps = std::max<std::int64_t>(1, plan.steps - warm_up),
                                           .floor = 0.01}},
      run.scaling);
  halfstep::RandomStream random(run.seed());
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);

  StepLog<Setup> log(run, "translator");
  for (std::int64_t step = 1; step <= plan.steps; ++step) {
    const Place place{"step", step, plan.steps};
    const DateBatch<Backend> batch(draw_dates(static_cast<std::size_t>(plan.pairs), false, random));
    log.step(place, trainer, batch, static_cast<double>(plan.pairs), translation_loss);
    if (step % between != 0 && step != plan.steps) continue;
    const TranslationScores scores = evaluate_translator(model, held_out);
    log.evaluated(place, trainer,
                  {share_score("exact_match", "exact\nmatch", scores.exact),
                   number_score("validation_loss", "validation\nloss", scores.loss)});
  }
  TrainingResult result = log.result(trainer);
  if (!shown.empty()) result.shown = show_translations(run, model, shown);
  return result;
}

template <class Backend>
void run_translate(const TranslateOptions& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const TranslatePlan plan = TranslatePlan::of(options);
  // The same for every seed.
  halfstep::RandomStream random(0);
  const std::vector<DatePair> held_out = draw_dates(2000, true, random);
  std::vector<DatePair> shown = draw_dates(static_cast<std::size_t>(options.sample), true, random);
  if (!options.date.empty()) shown.push_back({options.date, ""});
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  json.write({{"event", "run"},
              {"program", "translate"},
              {"held_out_dates", held_out.size()},
              {"width", plan.width},
              {"batch", plan.pairs},
              {"steps", plan.steps},
              {"learning_rate", plan.learning_rate},
              {"dropout", plan.dropout},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  compare_precisions<Backend>(precisions, options, progress, json, [&](const auto& run) {
    return train_translator(run, plan, held_out, shown);
  });
}

}  // namespace app
