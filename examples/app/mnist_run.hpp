#pragma once

#include <app/options.hpp>

namespace app {

/// All of `mnist` on one backend: reads the data, trains in each precision, prints the table.
///
/// Each backend is compiled by itself, in mnist_<backend>.cpp: together they would take minutes and
/// gigabytes.
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, or a run was
///                          stopped
template <class Backend>
void run_mnist(const Options& options);

}  // namespace app
