#pragma once

#include <app/names.hpp>
#include <app/options.hpp>

namespace app {

// The classifiers, which classifiers.hpp has.
template <class Setup>
struct Mlp;
template <class Setup>
struct Cnn;

/// All of `mnist` with one classifier on one backend: reads the data, trains in each precision,
/// prints the table.
///
/// Each is compiled by itself, in <classifier>_<backend>.cpp: together they would take
/// minutes and gigabytes.
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <template <class> class Classifier, class Backend>
void run_mnist(const Options& options);

/// The same with the classifier that the options name.
/// @throws CommandLineError  there is no such classifier
template <class Backend>
void run_mnist(const Options& options) {
  require_classifier(options.model);
  if (options.model == "cnn") return run_mnist<Cnn, Backend>(options);
  run_mnist<Mlp, Backend>(options);
}

}  // namespace app
