#pragma once

#include <halfstep/tensor/shape.hpp>

#include <cstdint>
#include <ostream>

namespace halfstep::inline HALFSTEP_ABI {

/// Two extents of an image or a window: {height, width}, or one number for both.
struct Extent2d {
  Index height = 0;
  Index width = 0;

  constexpr Extent2d() = default;
  constexpr Extent2d(Index both) : height(both), width(both) {}  // NOLINT(*explicit-constructor)
  constexpr Extent2d(Index height, Index width) : height(height), width(width) {}

  constexpr Index size() const { return height * width; }
  friend bool operator==(const Extent2d&, const Extent2d&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Extent2d& extent) {
    return out << extent.height << " x " << extent.width;
  }
};

/// Where the channels of a batch of images stand in memory, and in the shape: [batch, channels,
/// height, width], or [batch, height, width, channels], which products of channels read in a row.
enum class ImageLayout : std::uint8_t { channels_first, channels_last };

/// How far apart neighbours lie in a batch of images.
struct ImageStrides {
  Index batch;
  Index channel;
  Index row;
  Index column;

  constexpr ImageStrides(ImageLayout layout, Index channels, const Extent2d& extent)
      : batch(channels * extent.size()),
        channel(layout == ImageLayout::channels_last ? 1 : extent.size()),
        row(layout == ImageLayout::channels_last ? channels * extent.width : extent.width),
        column(layout == ImageLayout::channels_last ? channels : 1) {}
};

/// The first element of the window of output position `out` along an axis (it may lie in the
/// padding), and the extent that windows make of an input's.
constexpr Index window_begin(Index out, Index stride, Index padding) {
  return out * stride - padding;
}
constexpr Index windows_along(Index in, Index kernel, Index stride, Index padding, Index dilation) {
  return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

}  // namespace halfstep
