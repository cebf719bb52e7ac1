#pragma once

#include <app/names.hpp>
#include <app/options.hpp>

#include <halfstep/backend/reference.hpp>

namespace app {

// The classifiers, which classifiers.hpp has.
template <class Setup>
struct Mlp;
template <class Setup>
struct Cnn;
template <class Setup>
struct Resnet;

/// All of `mnist` with one classifier on one backend: reads the data, trains in each precision,
/// prints the table.
///
/// Each is compiled by itself, in the file <classifier>_<backend>: together they would take minutes
/// and gigabytes.
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <template <class> class Classifier, class Backend>
void run_mnist(const Options& options);

/// The same with the classifier that the options name.
/// @throws CommandLineError        there is no such classifier
/// @throws halfstep::BackendError  the program does not have it on this backend
template <class Backend>
void run_mnist(const Options& options) {
  require_classifier(options.model);
  if (options.model == "cnn") return run_mnist<Cnn, Backend>(options);
  if (options.model == "mlp") return run_mnist<Mlp, Backend>(options);
  if constexpr (std::same_as<Backend, halfstep::backend::Reference>)
    halfstep::fail<halfstep::BackendError>(
        "--model resnet: this program does not have it in the reference's plain loops; choose ",
        "--backend ", halfstep::backend::Default::name);
  else
    run_mnist<Resnet, Backend>(options);
}

}  // namespace app
