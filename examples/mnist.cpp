// Trains a classifier on MNIST, or on CIFAR-10, in every precision that is asked for, and shows
// what each costs and buys: build/bin/mnist --help

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/mnist/run.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>

int main(int count, char** arguments) {
  app::Options options;
  options.data = app::carried_data("mnist");
  options.model = "mlp";
  CLI::App line("Trains a classifier on MNIST and compares precisions.", "mnist");
  app::add_data(line, options,
                "folder with MNIST's four files, gzip or not, or with CIFAR-10's six "
                "binary ones");
  line.add_option("--model", options.model,
                  app::listed(app::classifier_names) +
                      "; a resnet takes 3 times the optimizer's usual learning rate, and half a "
                      "cosine takes it to 0")
      ->capture_default_str();
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_epochs(line, options);
  app::add_batch(line, options);
  app::add_optimizer(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  app::add_telemetry(line, options);
  return app::run(line, count, arguments, [&] {
    // Wrong names are told before anything is read.
    app::canonical_precisions(options.precision);
    app::require_classifier(options.model);
    app::require_optimizer(options.optimizer);
    app::apply_threads(options);
    app::with_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_mnist<Backend>(options);
    });
  });
}
