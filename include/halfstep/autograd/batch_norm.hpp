#pragma once

#include <halfstep/autograd/normalization.hpp>
#include <halfstep/ops/formula.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What batch normalization has seen of a batch, for running statistics.
template <class S, class B>
struct BatchNormalized {
  Variable<S, B> y;
  TensorOf<autograd::StatisticOf<S>, B> mean;      ///< [channels]
  TensorOf<autograd::StatisticOf<S>, B> variance;  ///< [channels], over n - 1
};

namespace autograd {

/// scale = 1 / sqrt(variance + epsilon).
struct ScaleOfVariance {
  double epsilon;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& variance, N& scale) const {
    scale = N(1.0f) / sqrt(variance + constant<N>(epsilon));
  }
};
/// x = factor x.
struct MultiplyBy {
  double factor;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& x) const {
    x = constant<N>(factor) * x;
  }
};

/// @throws ShapeError  x is not [samples, channels, ...], or a parameter is not [channels]
template <class S, class B, class T>
ChannelLayout channel_layout(const char* name, const Variable<S, B>& x,
                             const Variable<T, B>& weight, const Variable<T, B>& bias,
                             double epsilon) {
  require_elements(name, x);
  require_epsilon(name, epsilon);
  const Shape& shape = x.shape();
  if (shape.rank() < 2)
    fail<ShapeError>(OfLayer{name}, ": x ", described(x), " must be [samples, channels, ...]");
  require_parameter(name, "weight", weight, Shape{shape[1]});
  require_parameter(name, "bias", bias, Shape{shape[1]});
  return {shape[0], shape[1], shape.size_between(2, shape.rank())};
}

/// y = (x - mean) scale weight + bias by channel. `share` is the part of the sums over a channel
/// that comes back to each of its elements: 1 / n where mean and scale are the batch's own, 0 where
/// they are given.
template <class S, class B>
Variable<S, B> channel_normalized(const char* name, const Variable<S, B>& x,
                                  const ChannelLayout& layout,
                                  const TensorOf<StatisticOf<S>, B>& mean,
                                  const TensorOf<StatisticOf<S>, B>& scale,
                                  const Variable<StatisticOf<S>, B>& weight,
                                  const Variable<StatisticOf<S>, B>& bias, double share) {
  using T = StatisticOf<S>;
  const bool wanted = recorded(name, x, weight, bias);
  TensorOf<S, B> y(x.shape());
  B::channel_affine(layout, x.value().data(), mean.data(), scale.data(), data_or_null(weight),
                    data_or_null(bias), y.data());
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x, weight, bias);
  return record<B, S>(
      name, std::move(y),
      [layout, share, x = x.value(), weight = weight.value(), mean, scale](
          const TensorOf<S, B>& g, Slot<S, B>* to_x, Slot<T, B>* to_weight, Slot<T, B>* to_bias) {
        TensorOf<T, B> sum(mean.shape()), product(mean.shape());
        B::channel_sums(layout, x.data(), g.data(), mean.data(), scale.data(), sum.data(),
                        product.data());
        if (to_x != nullptr) {
          const auto to = to_x->destination();
          B::channel_gradient(layout, x.data(), g.data(), mean.data(), scale.data(),
                              weight.read().data(), sum.read().data(), product.read().data(), share,
                              to.view.data(), to.accumulate);
        }
        if (to_weight != nullptr) to_weight->give(product);
        if (to_bias != nullptr) to_bias->give(sum);
      },
      x, weight, bias);
}

}  // namespace autograd

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, mean and variance those of a channel
/// in this batch (Ioffe, Szegedy, arXiv 1502.03167); what training computes.
///
/// @param x             [samples, channels, ...]
/// @param weight, bias  [channels], or empty variables: 1 and 0
/// @return  y, shaped like x, and the batch's mean and variance; x is divided by the root of the
///          variance over n, running statistics take the one over n - 1, which is returned
/// @throws ShapeError  a channel has a single value, or a parameter has another shape
/// @numerics  x is read into FP32, where statistics, sums and parameters are; one rounding at the
///            store
template <class S, class B>
BatchNormalized<S, B> batch_norm(const Variable<S, B>& x,
                                 const Variable<autograd::StatisticOf<S>, B>& weight = {},
                                 const Variable<autograd::StatisticOf<S>, B>& bias = {},
                                 double epsilon = 1e-5) {
  using T = autograd::StatisticOf<S>;
  const ChannelLayout layout = autograd::channel_layout("batch_norm", x, weight, bias, epsilon);
  if (layout.per_channel() < 2)
    fail<ShapeError>(autograd::OfLayer{"batch_norm"}, ": x ", autograd::described(x),
                     " has one value per channel, which has no variance; train on larger batches, ",
                     "or use the statistics of evaluation");
  const Shape channels{layout.channels};
  TensorOf<T, B> mean(channels), variance(channels), scale(channels);
  B::channel_moments(layout, x.value().data(), mean.data(), variance.data());
  B::for_each_element(layout.channels, autograd::ScaleOfVariance{epsilon}, in(variance.read()),
                      out(scale.view()));
  const auto n = static_cast<double>(layout.per_channel());
  B::for_each_element(layout.channels, autograd::MultiplyBy{n / (n - 1.0)},
                      in_out(variance.view()));
  Variable<S, B> y =
      autograd::channel_normalized("batch_norm", x, layout, mean, scale, weight, bias, 1.0 / n);
  return {std::move(y), std::move(mean), std::move(variance)};
}

/// The same with a mean and a variance that are given: what evaluation computes.
///
/// @param mean, variance  [channels]
template <class S, class B>
Variable<S, B> batch_norm(const Variable<S, B>& x,
                          const TensorOf<autograd::StatisticOf<S>, B>& mean,
                          const TensorOf<autograd::StatisticOf<S>, B>& variance,
                          const Variable<autograd::StatisticOf<S>, B>& weight,
                          const Variable<autograd::StatisticOf<S>, B>& bias,
                          double epsilon = 1e-5) {
  const ChannelLayout layout = autograd::channel_layout("batch_norm", x, weight, bias, epsilon);
  const Shape channels{layout.channels};
  if (mean.shape() != channels || variance.shape() != channels)
    fail<ShapeError>(autograd::OfLayer{"batch_norm"}, ": x ", autograd::described(x), " has ",
                     layout.channels, " channels, the mean ", mean.shape(), " and the variance ",
                     variance.shape(), "; all must be those of one layer");
  TensorOf<autograd::StatisticOf<S>, B> scale(channels);
  B::for_each_element(layout.channels, autograd::ScaleOfVariance{epsilon}, in(variance.read()),
                      out(scale.view()));
  return autograd::channel_normalized("batch_norm", x, layout, mean, scale, weight, bias, 0.0);
}

template <class S, class B, class W, class... Rest>
requires autograd::WrongParameter<S, W>
auto batch_norm(const Variable<S, B>& x, const Variable<W, B>&, const Rest&...) {
  static_assert(NormalizationParameter<W, autograd::StatisticOf<S>>::value);
  return x;
}

}  // namespace halfstep
