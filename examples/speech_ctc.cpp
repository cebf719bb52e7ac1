// Recognises sequences of tones that it generates, by a bidirectional GRU with connectionist
// temporal classification, in every precision that is asked for, among them FP16 without master
// weights: build/bin/speech_ctc --preset small --precision all

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>
#include <app/speech_ctc/run.hpp>

int main(int count, char** arguments) {
  app::SpeechOptions options;
  CLI::App line("Trains a speech recogniser on tones and compares precisions.", "speech_ctc");
  line.add_option("--preset", options.preset,
                  "full: 3 layers of 256, 4,000 steps on 20,000 sequences; small: 2 of 96, 500 on "
                  "4,000. The options below override it")
      ->capture_default_str();
  line.add_option("--layers", options.layers, "of the GRU, each in both directions")
      ->check(app::at_least(1));
  line.add_option("--hidden", options.hidden, "units of each direction")->check(app::at_least(1));
  line.add_option("--batch", options.sequences, "sequences in a step")->check(app::at_least(1));
  line.add_option("--steps", options.steps, "steps of SGD with Nesterov's momentum")
      ->check(app::at_least(1));
  line.add_option("--learning-rate", options.learning_rate, "the highest, after warming up")
      ->check(app::positive_number());
  line.add_option("--sequences", options.corpus, "to train on; up to 1,000 more are held out")
      ->check(app::at_least(1));
  line.add_option("--noise", options.noise,
                  "deviation of the loudest noise, beside tones of 0.3 to 1")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    // Wrong names are told before anything is generated.
    app::canonical_precisions<app::Fp16WithoutMasters>(options.precision);
    app::require_name("--preset", options.preset, app::speech_presets);
    app::apply_threads(options);
    app::with_training_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_speech_ctc<Backend>(options);
    });
  });
}
