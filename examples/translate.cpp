// Trains a translator of dates, from the ways that people write them to ISO 8601, in every
// precision that is asked for, and shows what each costs and buys:
// build/bin/translate --preset small --precision paper

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/translate/dates.hpp>
#include <app/translate/run.hpp>

int main(int count, char** arguments) {
  app::TranslateOptions options;
  options.precision = "mixed_bf16";
  CLI::App line(
      "Trains an LSTM encoder and decoder with attention to write dates, and compares "
      "precisions.",
      "translate");
  line.add_option("--preset", options.preset,
                  "full: 256 wide, batch 64, dropout 0.1, 6,000 steps at 0.002; small: 128, 64, 0 "
                  "and 1,000 at 0.004. The options below override it")
      ->capture_default_str();
  line.add_option("--width", options.width,
                  "of the decoder; each direction of the encoder has half")
      ->check(app::at_least(2));
  line.add_option("--batch", options.pairs, "dates in a step")->check(app::at_least(1));
  line.add_option("--steps", options.steps, "steps of AdamW")->check(app::at_least(1));
  line.add_option("--learning-rate", options.learning_rate, "the highest, after warming up")
      ->check(app::positive_number());
  line.add_option("--dropout", options.dropout, "probability (default: the preset's)")
      ->check(CLI::Range(0.0, 0.9));
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  line.add_option("--sample", options.sample, "dates to show in the end")
      ->check(app::at_least(0))
      ->capture_default_str();
  line.add_option("--date", options.date, "one of your own to translate in the end");
  return app::run(line, count, arguments, [&] {
    // What is wrong is told before anything is trained.
    app::canonical_precisions(options.precision);
    app::require_name("--preset", options.preset, app::presets);
    if (options.width && *options.width % 2 != 0)
      halfstep::fail<app::CommandLineError>("--width ", *options.width,
                                            ": each direction has half of it; use an even number");
    app::written_alphabet.encode(options.date);
    app::apply_threads(options);
    app::with_training_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_translate<Backend>(options);
    });
  });
}
