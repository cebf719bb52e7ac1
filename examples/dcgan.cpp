// Trains a DCGAN on MNIST's digits in every precision that is asked for, shows what each costs and
// buys, and writes the digits that it makes up: build/bin/dcgan --preset small --precision paper

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/dcgan/run.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>

int main(int count, char** arguments) {
  app::DcganOptions options;
  options.data = app::carried_data("mnist");
  options.precision = "mixed_bf16";
  CLI::App line("Trains a DCGAN on MNIST's digits and compares precisions.", "dcgan");
  app::add_data(line, options, "folder with MNIST's four files, gzip or not");
  line.add_option("--preset", options.preset,
                  "full: 64 channels, 100 latent numbers, 5,000 steps of batch 64 at 0.0005; "
                  "small: 32, 64, 2,000, 32 and 0.001. The options below override it")
      ->capture_default_str();
  line.add_option("--width", options.width, "channels at 14 x 14; twice as many at 7 x 7")
      ->check(app::at_least(1));
  line.add_option("--latent", options.latent, "random numbers that a digit is made of")
      ->check(app::at_least(1));
  line.add_option("--batch", options.batch, "real and generated images in a step")
      ->check(app::at_least(1));
  line.add_option("--steps", options.steps, "of both models")->check(app::at_least(1));
  line.add_option("--learning-rate", options.learning_rate, "of both models' Adam")
      ->check(app::positive_number());
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  line.add_option("--samples", options.samples, "generated digits that are judged")
      ->check(app::at_least(2))
      ->capture_default_str();
  line.add_option("--images", options.images,
                  "writes 64 digits of each precision to PREFIX_<precision>.png (.pgm where the "
                  "program is built without zlib); '' writes none")
      ->type_name("PREFIX")
      ->capture_default_str();
  return app::run(line, count, arguments, [&] {
    // Wrong names are told before anything is read.
    app::canonical_precisions(options.precision);
    app::require_name("--preset", options.preset, app::dcgan_presets);
    app::apply_threads(options);
    app::with_training_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_dcgan<Backend>(options);
    });
  });
}
