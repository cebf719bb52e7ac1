#pragma once

#include <halfstep/autograd/image_axes.hpp>
#include <halfstep/ops/convolution.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What a convolution of images may have otherwise: one number for both axes, or {height, width}.
struct Conv2dSettings {
  Extent2d stride = 1;
  Extent2d padding = 0;   ///< zeros on each side
  Extent2d dilation = 1;  ///< the distance of a kernel's elements
  Index groups = 1;       ///< the channels' and the filters' first parts belong together, and so on
  ImageLayout layout = ImageLayout::channels_first;
};

/// What a convolution of sequences may have otherwise.
struct Conv1dSettings {
  Index stride = 1;
  Index padding = 0;
  Index dilation = 1;
  Index groups = 1;
  ImageLayout layout = ImageLayout::channels_first;
};

/// What a transposed convolution of images may have otherwise.
struct ConvTranspose2dSettings {
  Extent2d stride = 1;
  Extent2d padding = 0;         ///< what the convolution that this one turns round would have
  Extent2d output_padding = 0;  ///< more rows and columns at the end; below the stride
  Extent2d dilation = 1;
  Index groups = 1;
  ImageLayout layout = ImageLayout::channels_first;
};

namespace autograd {

/// Refuses a call of a convolution: with its layer, its operands and why.
template <class S, class B>
struct ConvolutionRefusal {
  const char* name;
  const Variable<S, B>& x;
  const Variable<S, B>& weight;

  template <class... Why>
  [[noreturn]] void operator()(const Why&... why) const {
    fail<ShapeError>(LayerPrefix{}, name, ": x ", described(x), " and the weight ",
                     described(weight), ": ", why...);
  }
};

/// Checks what a convolution and a transposed one have alike.
/// @throws ShapeError  extents or settings do not fit
template <class Refusal>
void check_convolution(const Refusal& refuse, const Shape& x, const Shape& weight,
                       const ImageAxes& axes, const ConvolutionProblem& p) {
  if (x.rank() != axes.rank() || weight.rank() != axes.rank())
    refuse("x must be ", axes.names(), " and the weight of rank ", axes.rank(), "; reshape them");
  if (p.stride.height < 1 || p.stride.width < 1 || p.dilation.height < 1 || p.dilation.width < 1 ||
      p.padding.height < 0 || p.padding.width < 0 || p.groups < 1)
    refuse("the stride ", p.stride, ", the dilation ", p.dilation, " and the groups ", p.groups,
           " must be at least 1, and the padding ", p.padding, " at least 0");
  if (p.channels % p.groups != 0 || p.filters % p.groups != 0)
    refuse(p.channels, " channels and ", p.filters, " filters are not divisible by ", p.groups,
           " groups; choose a number of groups that divides both");
}

/// The convolution y = x * weight that a call means.
/// @throws ShapeError  extents or settings do not fit
template <class S, class B>
ConvolutionProblem convolution_problem(const char* name, const Variable<S, B>& x,
                                       const Variable<S, B>& weight, const Variable<S, B>& bias,
                                       const ImageAxes& axes, const Conv2dSettings& settings) {
  const ConvolutionRefusal<S, B> refuse{name, x, weight};
  ConvolutionProblem p;
  const bool ranks = x.shape().rank() == axes.rank() && weight.shape().rank() == axes.rank();
  if (ranks) {
    p.batch = x.shape()[0];
    p.channels = x.shape()[axes.channels()];
    p.filters = weight.shape()[0];
    p.input = axes.extent_of(x.shape());
    p.kernel = ImageAxes{axes.images, ImageLayout::channels_first}.extent_of(weight.shape());
  }
  p.groups = settings.groups;
  p.stride = settings.stride;
  p.padding = settings.padding;
  p.dilation = settings.dilation;
  p.layout = axes.layout;
  check_convolution(refuse, x.shape(), weight.shape(), axes, p);
  if (weight.shape()[1] != p.channels / p.groups)
    refuse("the weight must be [filters, channels / groups, kernel], and its second extent is ",
           weight.shape()[1], " where x has ", p.channels, " channels in ", p.groups,
           " groups; x is read as ", axes.names());
  const Extent2d reach(p.dilation.height * (p.kernel.height - 1) + 1,
                       p.dilation.width * (p.kernel.width - 1) + 1);
  const Extent2d padded(p.input.height + 2 * p.padding.height, p.input.width + 2 * p.padding.width);
  if (reach.height > padded.height || reach.width > padded.width)
    refuse("the kernel reaches over ", reach, " and the padded input is ", padded,
           "; pad more, or use a smaller kernel or dilation");
  p.output = {windows_along(p.input.height, p.kernel.height, p.stride.height, p.padding.height,
                            p.dilation.height),
              windows_along(p.input.width, p.kernel.width, p.stride.width, p.padding.width,
                            p.dilation.width)};
  if (!bias.value().empty() && bias.shape() != Shape{p.filters})
    refuse("the bias ", bias.shape(), " must be [", p.filters, "]");
  return p;
}

/// The convolution that a transposed one turns round: from its y to its x.
/// @throws ShapeError  extents or settings do not fit
template <class S, class B>
ConvolutionProblem transposed_problem(const char* name, const Variable<S, B>& y,
                                      const Variable<S, B>& weight, const Variable<S, B>& bias,
                                      const ImageAxes& axes,
                                      const ConvTranspose2dSettings& settings) {
  const ConvolutionRefusal<S, B> refuse{name, y, weight};
  ConvolutionProblem p;
  const bool ranks = y.shape().rank() == axes.rank() && weight.shape().rank() == axes.rank();
  if (ranks) {
    p.batch = y.shape()[0];
    p.filters = y.shape()[axes.channels()];
    p.channels = weight.shape()[1] * settings.groups;
    p.output = axes.extent_of(y.shape());
    p.kernel = ImageAxes{axes.images, ImageLayout::channels_first}.extent_of(weight.shape());
  }
  p.groups = settings.groups;
  p.stride = settings.stride;
  p.padding = settings.padding;
  p.dilation = settings.dilation;
  p.layout = axes.layout;
  check_convolution(refuse, y.shape(), weight.shape(), axes, p);
  if (weight.shape()[0] != p.filters)
    refuse("the weight must be [channels, filters / groups, kernel], and its first extent is ",
           weight.shape()[0], " where x has ", p.filters, " channels; x is read as ", axes.names());
  const Extent2d& more = settings.output_padding;
  if (more.height < 0 || more.width < 0 || more.height >= p.stride.height ||
      more.width >= p.stride.width)
    refuse("the output padding ", more, " must be at least 0 and below the stride ", p.stride);
  const auto grown = [](Index extent, Index kernel, Index stride, Index padding, Index dilation) {
    return (extent - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1;
  };
  p.input = {
      grown(p.output.height, p.kernel.height, p.stride.height, p.padding.height,
            p.dilation.height) +
          more.height,
      grown(p.output.width, p.kernel.width, p.stride.width, p.padding.width, p.dilation.width) +
          more.width};
  if (p.input.height < 1 || p.input.width < 1)
    refuse("the padding ", p.padding, " leaves nothing of the output; pad less");
  if (!bias.value().empty() && bias.shape() != Shape{p.channels})
    refuse("the bias ", bias.shape(), " must be [", p.channels, "]");
  return p;
}

}  // namespace autograd
}  // namespace halfstep
