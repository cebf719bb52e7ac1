// Trains a detector of digits on canvases that it composes of MNIST's images, in every precision
// that is asked for, and compares their mean average precisions:
// build/bin/detector --preset small --precision paper

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/detector/run.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>

int main(int count, char** arguments) {
  app::DetectorOptions options;
  options.data = app::carried_data("mnist");
  CLI::App line("Trains a detector of digits and compares precisions.", "detector");
  app::add_data(line, options, "folder with MNIST's four files, gzip or not");
  line.add_option("--preset", options.preset,
                  "full: 5,000 steps, 2,000 canvases to test on; small: 1,000 and 1,000. The "
                  "options below override it")
      ->capture_default_str();
  line.add_option("--batch", options.canvases, "canvases in a step (default: 32)")
      ->check(app::at_least(1));
  line.add_option("--steps", options.steps, "steps of AdamW")->check(app::at_least(1));
  line.add_option("--learning-rate", options.learning_rate,
                  "the highest, after warming up (default: 0.002)")
      ->check(app::positive_number());
  line.add_option("--test-canvases", options.test_canvases, "canvases to test on")
      ->check(app::at_least(1));
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    // Wrong names are told before anything is read.
    app::canonical_precisions(options.precision);
    app::require_name("--preset", options.preset, app::presets);
    app::apply_threads(options);
    app::with_training_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_detector<Backend>(options);
    });
  });
}
