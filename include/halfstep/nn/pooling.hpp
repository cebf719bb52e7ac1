#pragma once

#include <halfstep/autograd/pool.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

// Poolings as function objects, for Sequential and for models that keep their settings in one
// place: nn::MaxPool2d pool{2};

/// The largest element of each window: max_pool2d.
struct MaxPool2d {
  Extent2d kernel = 2;
  Pool2dSettings settings = {};

  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return max_pool2d(x, kernel, settings);
  }
};

/// The mean of each window: avg_pool2d.
struct AvgPool2d {
  Extent2d kernel = 2;
  Pool2dSettings settings = {};

  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return avg_pool2d(x, kernel, settings);
  }
};

/// The mean of each channel: global_avg_pool2d.
struct GlobalAvgPool2d {
  ImageLayout layout = ImageLayout::channels_first;

  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return global_avg_pool2d(x, layout);
  }
};

}  // namespace halfstep
