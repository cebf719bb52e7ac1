#pragma once

#include <halfstep/tensor/shape.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// The extents of x, row-major [outer, channels, inner]: samples, channels (each of which has a
/// weight and a bias) and the positions of a channel.
struct ChannelLayout {
  Index outer = 1;
  Index channels = 1;
  Index inner = 1;

  /// The values of one channel.
  Index per_channel() const { return outer * inner; }
};

/// A normalization whose mean and variance are those of a group of one sample's channels: of all
/// of them in layer and RMS normalization.
struct Normalization {
  ChannelLayout layout{};
  /// Runs of channels, equally long.
  Index groups = 1;
  /// Added to the variance, under the root.
  double epsilon = 1e-5;
  /// Otherwise the mean is taken as 0.
  bool centred = true;

  Index channels_per_group() const { return layout.channels / groups; }
  Index per_group() const { return channels_per_group() * layout.inner; }
};

/// Where the gradients of a normalization go; a null pointer where one is not wanted.
template <class T, class Scalar>
struct NormalizationGradients {
  T* x = nullptr;
  Scalar* weight = nullptr;
  Scalar* bias = nullptr;
  bool add_to_x = false;
  bool add_to_weight = false;
  bool add_to_bias = false;
};

}  // namespace halfstep
