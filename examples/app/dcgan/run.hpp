#pragma once

#include <app/options.hpp>

#include <optional>

namespace app {

/// What dcgan can be told beside the options that training programs share. What is not said is the
/// preset's.
struct DcganOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> width, latent, batch, steps;
  std::int64_t samples = 10000;  ///< generated digits that are judged
  std::string images = "dcgan";  ///< how the image files' names begin; empty: none is written
};

/// All of dcgan on one backend: trains the judge of the digits, then a generator in each precision,
/// writes its images and prints the table. Each backend is compiled by itself, in the file of its
/// name.
///
/// @throws halfstep::Error  a precision is not to be had, the data cannot be used, an image cannot
///                          be written, or a run was stopped
template <class Backend>
void run_dcgan(const DcganOptions& options);

}  // namespace app
