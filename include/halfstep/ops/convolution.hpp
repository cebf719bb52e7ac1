#pragma once

#include <halfstep/ops/image.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// The extents of a convolution (as in networks: without a mirrored kernel)
///   y[n, f, i, j] = bias[f] + sum over c, u, v of
///                   x[n, c, i stride - padding + u dilation, j ...] weight[f, c, u, v]
/// where x is 0 outside, c runs over the channels of f's group, and weight is
/// [filters, channels / groups, kernel]. Filters and channels of a group follow each other.
struct ConvolutionProblem {
  Index batch = 1;
  Index channels = 1;
  Index filters = 1;
  Index groups = 1;
  Extent2d input = 1;
  Extent2d output = 1;
  Extent2d kernel = 1;
  Extent2d stride = 1;
  Extent2d padding = 0;
  Extent2d dilation = 1;
  ImageLayout layout = ImageLayout::channels_first;

  friend bool operator==(const ConvolutionProblem&, const ConvolutionProblem&) = default;

  Index x_size() const { return batch * channels * input.size(); }
  Index y_size() const { return batch * filters * output.size(); }
  Index weight_size() const { return filters * products(); }
  /// Products that are summed for one element of y.
  Index products() const { return channels / groups * kernel.size(); }
};

/// What a convolution computes of x, weight and y from the other two; `data` is x.
enum class ConvolutionPass : std::uint8_t { forward, data, weight };

/// The extents of a pooling of [batch, input, channels] into [batch, output, channels]: of windows
/// that may reach into the padding, which is below every number for the maximum and 0 for the
/// average. Images with channels first are images of one channel, more of them.
struct PoolProblem {
  enum class Kind : std::uint8_t { maximum, average };

  Kind kind = Kind::maximum;
  Index batch = 1;
  Index channels = 1;
  Extent2d input = 1;
  Extent2d output = 1;
  Extent2d kernel = 1;
  Extent2d stride = 1;
  Extent2d padding = 0;

  Index x_size() const { return batch * channels * input.size(); }
  Index y_size() const { return batch * channels * output.size(); }
};

}  // namespace halfstep
