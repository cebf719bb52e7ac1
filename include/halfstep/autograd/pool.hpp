#pragma once

#include <halfstep/autograd/image_axes.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/ops/convolution.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What a pooling of images may have otherwise: one number for both axes, or {height, width}.
struct Pool2dSettings {
  Extent2d stride = 0;   ///< 0: the kernel, so that windows do not overlap
  Extent2d padding = 0;  ///< at most half the kernel
  ImageLayout layout = ImageLayout::channels_first;
};

namespace autograd {

/// @throws ShapeError  extents or settings do not fit
template <class S, class B>
PoolProblem pool_problem(const char* name, PoolProblem::Kind kind, const Variable<S, B>& x,
                         const Extent2d& kernel, const Pool2dSettings& settings) {
  const auto refuse = [&](const auto&... why) {
    fail<ShapeError>(LayerPrefix{}, name, ": x ", described(x), " by windows of ", kernel, ": ",
                     why...);
  };
  const ImageAxes axes{true, settings.layout};
  if (x.shape().rank() != axes.rank()) refuse("x must be ", axes.names(), "; reshape it");
  PoolProblem p;
  p.kind = kind;
  p.batch = x.shape()[0];
  p.channels = x.shape()[axes.channels()];
  p.input = axes.extent_of(x.shape());
  p.kernel = kernel;
  p.stride = settings.stride == Extent2d(0) ? kernel : settings.stride;
  p.padding = settings.padding;
  if (kernel.height < 1 || kernel.width < 1 || p.stride.height < 1 || p.stride.width < 1)
    refuse("the kernel and the stride ", p.stride, " must be at least 1");
  if (p.padding.height < 0 || p.padding.width < 0 || 2 * p.padding.height > kernel.height ||
      2 * p.padding.width > kernel.width)
    refuse("the padding ", p.padding, " must be from 0 to half the kernel");
  if (kernel.height > p.input.height + 2 * p.padding.height ||
      kernel.width > p.input.width + 2 * p.padding.width)
    refuse("a window is larger than the input padded by ", p.padding,
           "; pad more or use a smaller kernel");
  p.output = {windows_along(p.input.height, kernel.height, p.stride.height, p.padding.height, 1),
              windows_along(p.input.width, kernel.width, p.stride.width, p.padding.width, 1)};
  return p;
}

template <class S, class B>
Variable<S, B> pool2d(const char* name, PoolProblem::Kind kind, const Variable<S, B>& x,
                      const Extent2d& kernel, const Pool2dSettings& settings) {
  require_elements(name, x);
  const bool wanted = recorded(name, x);
  PoolProblem p = pool_problem(name, kind, x, kernel, settings);
  TensorOf<S, B> y(ImageAxes{true, settings.layout}.shape(p.batch, p.channels, p.output));
  if (settings.layout == ImageLayout::channels_first) {
    p.batch *= p.channels;
    p.channels = 1;
  }
  B::pool(p, x.value().data(), y.data());
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x);
  // An average's gradient does not depend on x, which may then go.
  TensorOf<S, B> saved = kind == PoolProblem::Kind::maximum ? x.value() : TensorOf<S, B>();
  return record<B, S>(
      name, std::move(y),
      [p, saved = std::move(saved)](const TensorOf<S, B>& g, Slot<S, B>* slot) {
        const auto to = slot->destination();
        B::pool_backward(p, saved.data(), g.data(), to.view.data(), to.accumulate);
      },
      x);
}

/// The mean over all positions of an image.
template <class S, class B>
Variable<S, B> mean_of_positions(const char* name, const Variable<S, B>& x, ImageLayout layout) {
  const ImageAxes axes{true, layout};
  if (x.shape().rank() != axes.rank())
    fail<ShapeError>(LayerPrefix{}, name, ": x ", described(x), " must be ", axes.names(),
                     "; reshape it");
  const Index channels = x.shape()[axes.channels()];
  const bool last = layout == ImageLayout::channels_last;
  return last ? mean(reshape(x, {x.shape()[0], -1, channels}), 1)
              : mean(reshape(x, {x.shape()[0], channels, -1}), 2);
}

}  // namespace autograd

/// The largest element of each window. Of equal ones the first gets the gradient; NaN is larger
/// than all.
///
/// @param x  [batch, channels, height, width], or with channels last
/// @return  x's layout, with (extent + 2 padding - kernel) / stride + 1 rows and columns
/// @throws ShapeError  a window is larger than the padded input
/// @numerics  exact
template <class S, class B>
Variable<S, B> max_pool2d(const Variable<S, B>& x, const Extent2d& kernel,
                          const Pool2dSettings& settings = {}) {
  return autograd::pool2d("max_pool2d", PoolProblem::Kind::maximum, x, kernel, settings);
}

/// The mean of each window, zeros of the padding counted (PyTorch's default).
/// @throws ShapeError  a window is larger than the padded input
/// @numerics  summed in the compute type; one rounding, at the store
template <class S, class B>
Variable<S, B> avg_pool2d(const Variable<S, B>& x, const Extent2d& kernel,
                          const Pool2dSettings& settings = {}) {
  return autograd::pool2d("avg_pool2d", PoolProblem::Kind::average, x, kernel, settings);
}

/// The mean of each channel of each image: [batch, channels].
/// @throws ShapeError  x is not a batch of images
/// @numerics  summed in the compute type; one rounding, at the store
template <class S, class B>
Variable<S, B> global_avg_pool2d(const Variable<S, B>& x,
                                 ImageLayout layout = ImageLayout::channels_first) {
  return autograd::mean_of_positions("global_avg_pool2d", x, layout);
}

}  // namespace halfstep
