#pragma once

#include <app/compare_precisions.hpp>
#include <app/speech_ctc/decode.hpp>
#include <app/speech_ctc/model.hpp>
#include <app/speech_ctc/run.hpp>
#include <app/step_log.hpp>
#include <app/upload.hpp>

#include <algorithm>
#include <cmath>

namespace app {

/// What a run is, every number said.
struct SpeechPlan {
  halfstep::Index hidden = 256;
  halfstep::Index layers = 3;
  std::int64_t sequences = 32;  ///< in a step
  std::int64_t steps = 4000;
  double learning_rate = 0.3;
  std::int64_t corpus = 20000;  ///< sequences to train on
  std::int64_t warm_up = 100;

  /// The preset's, and what the command line says otherwise.
  static SpeechPlan of(const SpeechOptions& options) {
    SpeechPlan plan;
    if (options.preset == "small") plan = {96, 2, 32, 500, 0.3, 4000};
    const auto take = [](auto& to, const auto& said) { to = said.value_or(to); };
    take(plan.hidden, options.hidden);
    take(plan.layers, options.layers);
    take(plan.sequences, options.sequences);
    take(plan.steps, options.steps);
    take(plan.learning_rate, options.learning_rate);
    take(plan.corpus, options.corpus);
    plan.warm_up = std::clamp<std::int64_t>(plan.steps / 10, 1, 100);
    return plan;
  }
};

/// What is trained on, and as many sequences again that nobody has heard: of the same seed in every
/// precision.
struct SpeechData {
  std::vector<ToneSequence> training, held_out;

  SpeechData(const SpeechPlan& plan, const SpeechOptions& options)
      : training(generator(options, 1).sequences(plan.corpus)),
        held_out(generator(options, 2).sequences(std::min<std::int64_t>(1000, plan.corpus))) {
    normalise();
  }

 private:
  static ToneGenerator generator(const SpeechOptions& options, std::uint64_t stream) {
    return ToneGenerator(options.noise, static_cast<std::uint64_t>(options.seed), stream);
  }
  /// Mean 0 and deviation 1 over all that is trained on, which is all that may be known.
  void normalise() {
    double count = 0.0, sum = 0.0, squares = 0.0;
    for (const ToneSequence& sequence : training)
      for (const float value : sequence.features) {
        count += 1.0;
        sum += value;
        squares += double{value} * value;
      }
    const double mean = sum / count;
    const double deviation = std::sqrt(squares / count - mean * mean);
    for (std::vector<ToneSequence>* set : {&training, &held_out})
      for (ToneSequence& sequence : *set)
        for (float& value : sequence.features)
          value = static_cast<float>((value - mean) / deviation);
  }
};

/// Some sequences beside each other, padded with zeros.
template <class Setup>
ToneBatch<Setup> tone_batch(std::span<const ToneSequence* const> sequences) {
  using Model = SpeechModel<Setup>;
  using Backend = typename Setup::Backend;
  std::size_t time = 0, width = 0;
  for (const ToneSequence* sequence : sequences) {
    time = std::max(time, sequence->features.size() / tone_bands);
    width = std::max(width, sequence->symbols.size());
  }
  // Few lengths, so that the plans of matrix products are met again.
  time = (time + 15) / 16 * 16;
  std::vector<float> x(sequences.size() * time * tone_bands);
  std::vector<std::int32_t> lengths, symbols(sequences.size() * width), counts;
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    const ToneSequence& sequence = *sequences[row];
    std::copy(sequence.features.begin(), sequence.features.end(),
              x.begin() + static_cast<std::ptrdiff_t>(row * time * tone_bands));
    std::copy(sequence.symbols.begin(), sequence.symbols.end(),
              symbols.begin() + static_cast<std::ptrdiff_t>(row * width));
    lengths.push_back(static_cast<std::int32_t>(Model::steps_of(sequence.time())));
    counts.push_back(static_cast<std::int32_t>(sequence.symbols.size()));
  }
  const auto rows = static_cast<halfstep::Index>(sequences.size());
  const auto numbers = [](const std::vector<std::int32_t>& values, const halfstep::Shape& shape) {
    return uploaded<Backend>(std::span<const std::int32_t>(values), shape);
  };
  return {model_input<Setup>(x, {rows, static_cast<halfstep::Index>(time),
                                 static_cast<halfstep::Index>(tone_bands)}),
          numbers(lengths, {rows}), numbers(symbols, {rows, static_cast<halfstep::Index>(width)}),
          numbers(counts, {rows})};
}

/// What a model makes of sequences by best path decoding, in evaluation mode.
template <class Setup>
std::vector<std::vector<std::int32_t>> heard(const SpeechModel<Setup>& model,
                                             std::span<const ToneSequence> sequences) {
  constexpr std::size_t together = 50;
  const halfstep::inference scope;
  std::vector<std::vector<std::int32_t>> all;
  for (std::size_t first = 0; first < sequences.size(); first += together) {
    std::vector<const ToneSequence*> some;
    for (const ToneSequence& sequence :
         sequences.subspan(first, std::min(together, sequences.size() - first)))
      some.push_back(&sequence);
    const auto logits = model(tone_batch<Setup>(some));
    const std::vector<float> values = halfstep::train::to_host(logits);
    const auto steps = static_cast<std::size_t>(logits.shape()[1]);
    const auto classes = static_cast<std::size_t>(logits.shape()[2]);
    for (std::size_t row = 0; row < some.size(); ++row) {
      const auto length = static_cast<std::size_t>(model.steps_of(some[row]->time()));
      all.push_back(
          best_path(std::span(values).subspan(row * steps * classes, length * classes), classes));
    }
  }
  return all;
}

/// Edit distance over the number of symbols: the rate that speech recognition is judged by.
inline double symbol_error_rate(std::span<const ToneSequence> sequences,
                                std::span<const std::vector<std::int32_t>> heard) {
  std::size_t errors = 0, symbols = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    errors += edit_distance(heard[i], sequences[i].symbols);
    symbols += sequences[i].symbols.size();
  }
  return static_cast<double>(errors) / static_cast<double>(symbols);
}

/// Trains with stochastic gradient descent and Nesterov's momentum, as DeepSpeech 2 was.
///
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Setup>
TrainingResult train_speech_ctc(const Run<Setup>& run, const SpeechPlan& plan,
                                const SpeechData& data) {
  SpeechModel<Setup> model(plan.hidden, plan.layers);
  model.initialise(run.seed());
  const halfstep::optim::SGD rule{
      .learning_rate = plan.learning_rate, .momentum = 0.9, .nesterov = true};
  const halfstep::optim::WarmUp schedule{
      plan.warm_up,
      halfstep::optim::Cosine{.steps = std::max<std::int64_t>(1, plan.steps - plan.warm_up),
                              .floor = 0.01}};
  halfstep::Trainer trainer(model, rule, {.clip_norm = 1.0}, schedule, run.scaling);
  halfstep::RandomStream random(run.seed(), 3);
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);

  StepLog<Setup> log(run, "gru", "sequences");
  std::vector<std::vector<std::int32_t>> last;
  for (std::int64_t step = 1; step <= plan.steps; ++step) {
    const Place place{"step", step, plan.steps};
    std::vector<const ToneSequence*> some(static_cast<std::size_t>(plan.sequences));
    for (const ToneSequence*& each : some)
      each = &data.training[random.below(data.training.size())];
    log.step(place, trainer, tone_batch<Setup>(some), static_cast<double>(plan.sequences),
             speech_loss);
    if (step % between != 0 && step != plan.steps) continue;
    last = heard(model, data.held_out);
    log.evaluated(place, trainer,
                  {share_score("symbol_error_rate", "symbol\nerrors",
                               symbol_error_rate(data.held_out, last))});
  }
  TrainingResult result = log.result(trainer);
  result.shown = run.label() + " hears " + written(last[0]) + "  where " +
                 written(data.held_out[0].symbols) + " was played";
  return result;
}

template <class Backend>
void run_speech_ctc(const SpeechOptions& options) {
  const auto precisions = require_precisions<Backend, Fp16WithoutMasters>(
      canonical_precisions<Fp16WithoutMasters>(options.precision));
  const SpeechPlan plan = SpeechPlan::of(options);
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  const SpeechData data(plan, options);
  json.write({{"event", "run"},
              {"program", "speech_ctc"},
              {"training_sequences", data.training.size()},
              {"held_out_sequences", data.held_out.size()},
              {"noise", options.noise},
              {"hidden", plan.hidden},
              {"layers", plan.layers},
              {"batch", plan.sequences},
              {"steps", plan.steps},
              {"learning_rate", plan.learning_rate},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  compare_precisions<Backend, Fp16WithoutMasters>(
      precisions, options, progress, json,
      [&](const auto& run) { return train_speech_ctc(run, plan, data); });
}

}  // namespace app
