#pragma once

#include <halfstep/autograd/convolution_problem.hpp>
#include <halfstep/autograd/matmul.hpp>
#include <halfstep/autograd/of_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// The sums over batch and positions, one for each channel: a bias's gradient.
template <class S, class B>
void sum_per_channel(Slot<S, B>& slot, const TensorOf<S, B>& g, Index batch, Index channels,
                     ImageLayout layout) {
  using Scalar = typename numeric_traits<S>::compute;
  const auto to = slot.destination();
  const Index positions = g.size() / (batch * channels);
  if (layout == ImageLayout::channels_last) {
    B::template reduce<Reduction::sum>(
        {.reduced = batch * positions, .inner = channels, .accumulate = to.accumulate},
        formulas::Identity{}, to.view.data(), g.data());
    return;
  }
  TensorOf<Scalar, B> planes(Shape{batch, channels});
  B::template reduce<Reduction::sum>({.outer = batch * channels, .reduced = positions},
                                     formulas::Identity{}, planes.data(), g.data());
  B::template reduce<Reduction::sum>(
      {.reduced = batch, .inner = channels, .accumulate = to.accumulate}, formulas::Identity{},
      to.view.data(), std::as_const(planes).data());
}

template <class Compute, class S, class B>
Variable<S, B> convolution(const char* name, const Variable<S, B>& x, const Variable<S, B>& weight,
                           const Variable<S, B>& bias, const ImageAxes& axes,
                           const Conv2dSettings& settings) {
  using Sum = ProductCompute<Compute, S>;
  require_elements(name, x, weight);
  const bool wanted = recorded(name, x, weight, bias);
  const ConvolutionProblem p = convolution_problem(name, x, weight, bias, axes, settings);
  TensorOf<S, B> y(axes.shape(p.batch, p.filters, p.output));
  B::template convolve<Sum>(p, x.value().data(), weight.value().data(), data_or_null(bias),
                            y.data(), false);
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x, weight, bias);
  return record<B, S>(
      name, std::move(y),
      [p, x = x.value(), weight = weight.value()](const TensorOf<S, B>& g, Slot<S, B>* to_x,
                                                  Slot<S, B>* to_weight, Slot<S, B>* to_bias) {
        if (to_x != nullptr) {
          const auto to = to_x->destination();
          B::template convolve_transposed<Sum>(p, g.data(), weight.data(),
                                               static_cast<const S*>(nullptr), to.view.data(),
                                               to.accumulate);
        }
        if (to_weight != nullptr) {
          const auto to = to_weight->destination();
          B::template convolve_weight<Sum>(p, x.data(), g.data(), to.view.data(), to.accumulate);
        }
        if (to_bias != nullptr) sum_per_channel(*to_bias, g, p.batch, p.filters, p.layout);
      },
      x, weight, bias);
}

template <class Compute, class S, class B>
Variable<S, B> transposed_convolution(const char* name, const Variable<S, B>& x,
                                      const Variable<S, B>& weight, const Variable<S, B>& bias,
                                      const ImageAxes& axes,
                                      const ConvTranspose2dSettings& settings) {
  using Sum = ProductCompute<Compute, S>;
  require_elements(name, x, weight);
  const bool wanted = recorded(name, x, weight, bias);
  const ConvolutionProblem p = transposed_problem(name, x, weight, bias, axes, settings);
  TensorOf<S, B> y(axes.shape(p.batch, p.channels, p.input));
  B::template convolve_transposed<Sum>(p, x.value().data(), weight.value().data(),
                                       data_or_null(bias), y.data(), false);
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x, weight, bias);
  return record<B, S>(
      name, std::move(y),
      [p, x = x.value(), weight = weight.value()](const TensorOf<S, B>& g, Slot<S, B>* to_x,
                                                  Slot<S, B>* to_weight, Slot<S, B>* to_bias) {
        if (to_x != nullptr) {
          const auto to = to_x->destination();
          B::template convolve<Sum>(p, g.data(), weight.data(), static_cast<const S*>(nullptr),
                                    to.view.data(), to.accumulate);
        }
        if (to_weight != nullptr) {
          const auto to = to_weight->destination();
          B::template convolve_weight<Sum>(p, g.data(), x.data(), to.view.data(), to.accumulate);
        }
        if (to_bias != nullptr) sum_per_channel(*to_bias, g, p.batch, p.channels, p.layout);
      },
      x, weight, bias);
}

}  // namespace autograd

/// A convolution of images, as networks mean it (a cross-correlation):
///   y[n, f, i, j] = bias[f] + sum over c, u, v of
///                   x[n, c, i stride - padding + u dilation, j ...] weight[f, c, u, v]
///
/// @tparam Compute  what sums are kept in (float, double); by default the storage type's
/// @param x       [batch, channels, height, width], or [batch, height, width, channels] where the
///                settings say `ImageLayout::channels_last`: then the products run fastest
/// @param weight  [filters, channels / groups, kernel height, kernel width], in either layout
/// @param bias    [filters], or an empty variable: none
/// @return  x's layout, with filters for channels and
///          (extent + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down
/// @throws ShapeError  the extents do not fit, the kernel is larger than the padded input, or the
///                     groups do not divide channels and filters
/// @numerics  products and sums in Compute; one rounding, at the store
template <class Compute = void, class S, class B>
Variable<S, B> conv2d(const Variable<S, B>& x, const Variable<S, B>& weight,
                      const Variable<S, B>& bias = {}, const Conv2dSettings& settings = {}) {
  return autograd::convolution<Compute>("conv2d", x, weight, bias, {true, settings.layout},
                                        settings);
}

/// A convolution of sequences: conv2d with one row.
///
/// @param x       [batch, channels, length], or [batch, length, channels] with channels last
/// @param weight  [filters, channels / groups, kernel]
/// @throws ShapeError  as conv2d
template <class Compute = void, class S, class B>
Variable<S, B> conv1d(const Variable<S, B>& x, const Variable<S, B>& weight,
                      const Variable<S, B>& bias = {}, const Conv1dSettings& settings = {}) {
  return autograd::convolution<Compute>("conv1d", x, weight, bias, {false, settings.layout},
                                        {.stride = {1, settings.stride},
                                         .padding = {0, settings.padding},
                                         .dilation = {1, settings.dilation},
                                         .groups = settings.groups,
                                         .layout = settings.layout});
}

/// A transposed convolution of images (also: fractionally strided): what a convolution's gradient
/// makes of its upstream.
///
/// @param x       [batch, channels, height, width], or with channels last
/// @param weight  [channels, filters / groups, kernel height, kernel width]
/// @param bias    [filters], or an empty variable: none
/// @return  x's layout, with filters for channels and
///          (extent - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1
/// @throws ShapeError  the extents do not fit, or the output padding is not below the stride
/// @numerics  products and sums in Compute; one rounding, at the store
template <class Compute = void, class S, class B>
Variable<S, B> conv_transpose2d(const Variable<S, B>& x, const Variable<S, B>& weight,
                                const Variable<S, B>& bias = {},
                                const ConvTranspose2dSettings& settings = {}) {
  return autograd::transposed_convolution<Compute>("conv_transpose2d", x, weight, bias,
                                                   {true, settings.layout}, settings);
}

template <class Compute = void, class S1, class B1, class S2, class B2, class... More>
requires MixedStorage<S1, S2>
auto conv2d(const Variable<S1, B1>& x, const Variable<S2, B2>& weight, const More&...) {
  return autograd::refuse_mixed(x, weight);
}
template <class Compute = void, class S1, class B1, class S2, class B2, class... More>
requires MixedStorage<S1, S2>
auto conv1d(const Variable<S1, B1>& x, const Variable<S2, B2>& weight, const More&...) {
  return autograd::refuse_mixed(x, weight);
}
template <class Compute = void, class S1, class B1, class S2, class B2, class... More>
requires MixedStorage<S1, S2>
auto conv_transpose2d(const Variable<S1, B1>& x, const Variable<S2, B2>& weight, const More&...) {
  return autograd::refuse_mixed(x, weight);
}

}  // namespace halfstep
