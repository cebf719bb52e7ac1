#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/ops/image.hpp>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// The layer that runs, before an operation's name in a message: "encoder.conv1: ".
struct LayerPrefix {
  friend std::ostream& operator<<(std::ostream& out, LayerPrefix) {
    return name_path().empty() ? out : out << name_path() << ": ";
  }
};

/// The axes of a batch of images or sequences: of a shape of rank 4 or 3.
struct ImageAxes {
  bool images;  ///< with a height
  ImageLayout layout;

  int rank() const { return images ? 4 : 3; }
  int channels() const { return layout == ImageLayout::channels_last ? -1 : 1; }
  Extent2d extent_of(const Shape& shape) const {
    const int first = layout == ImageLayout::channels_last ? 1 : 2;
    return images ? Extent2d(shape[first], shape[first + 1]) : Extent2d(1, shape[first]);
  }
  Shape shape(Index batch, Index channels, const Extent2d& extent) const {
    const bool last = layout == ImageLayout::channels_last;
    if (images)
      return last ? Shape{batch, extent.height, extent.width, channels}
                  : Shape{batch, channels, extent.height, extent.width};
    return last ? Shape{batch, extent.width, channels} : Shape{batch, channels, extent.width};
  }
  const char* names() const {
    const bool last = layout == ImageLayout::channels_last;
    if (images)
      return last ? "[batch, height, width, channels]" : "[batch, channels, height, width]";
    return last ? "[batch, length, channels]" : "[batch, channels, length]";
  }
};

}  // namespace halfstep
