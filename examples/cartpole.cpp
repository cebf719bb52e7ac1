// Learns to balance a pole on a cart while it drives it, the physics in the same program, in every
// precision that is asked for: build/bin/cartpole --preset small --precision all

#include <app/backends.hpp>
#include <app/cartpole/run.hpp>
#include <app/command_line.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>

int main(int count, char** arguments) {
  app::CartPoleOptions options;
  CLI::App line("Learns to balance a pole and compares precisions.", "cartpole");
  line.add_option("--preset", options.preset,
                  "full: 500,000 steps of a cart; small: 200,000. --steps overrides it")
      ->capture_default_str();
  line.add_option("--steps", options.steps, "steps of 0.02 s, of all carts together")
      ->check(app::at_least(1));
  line.add_option("--carts", options.carts, "that are driven at once")
      ->check(app::at_least(1))
      ->capture_default_str();
  line.add_option("--rounds", options.rounds, "steps of each cart between two times of learning")
      ->check(app::at_least(1))
      ->capture_default_str();
  line.add_option("--epochs", options.epochs, "passes over what was done, each time")
      ->check(app::at_least(1))
      ->capture_default_str();
  line.add_option("--batch", options.batch, "steps of a cart in a step of AdamW")
      ->check(app::at_least(1))
      ->capture_default_str();
  line.add_option("--learning-rate", options.learning_rate, "the first (default: 0.002)")
      ->check(app::positive_number());
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    // Wrong names are told before anything is driven.
    app::canonical_precisions(options.precision);
    app::require_name("--preset", options.preset, app::cartpole_presets);
    app::apply_threads(options);
    app::with_training_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_cartpole<Backend>(options);
    });
  });
}
