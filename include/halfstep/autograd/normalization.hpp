#pragma once

#include <halfstep/autograd/of_layer.hpp>
#include <halfstep/ops/normalization.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// Completing this with another type than FP32 (double beside double) refuses a normalization.
template <class Parameter, class Statistic>
struct NormalizationParameter {
  static_assert(std::is_same_v<Parameter, Statistic>,
                "halfstep: a normalization's weights and biases are FP32 whatever x is stored in; "
                "store them as float, or cast<float>() them");
  static constexpr bool value = true;
};

namespace autograd {

/// The type of a normalization's weights, biases and statistics: FP32 whatever x is stored in.
template <class S>
using StatisticOf = typename numeric_traits<S>::compute;

/// A weight that a normalization refuses. Its overload only holds the sentence.
template <class S, class W>
concept WrongParameter = !std::is_same_v<W, StatisticOf<S>>;

/// @throws UsageError  epsilon is negative or NaN
inline void require_epsilon(const char* name, double epsilon) {
  if (!(epsilon >= 0.0))
    fail<UsageError>(OfLayer{name}, ": epsilon ", epsilon,
                     " is not 0 or more; it keeps the root of a variance of 0 apart from 0");
}
/// y = (x - mean) / sqrt(variance + epsilon) weight + bias over the groups of `p`.
template <class S, class B>
Variable<S, B> normalized(const char* name, const Variable<S, B>& x, const Normalization& p,
                          const Variable<StatisticOf<S>, B>& weight,
                          const Variable<StatisticOf<S>, B>& bias) {
  using T = StatisticOf<S>;
  const bool wanted = recorded(name, x, weight, bias);
  TensorOf<S, B> y(x.shape());
  const Shape rows{p.layout.outer * p.groups};
  TensorOf<T, B> mean(rows), scale(rows);
  B::normalize(p, x.value().data(), data_or_null(weight), data_or_null(bias), y.data(), mean.data(),
               scale.data());
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x, weight, bias);
  return record<B, S>(
      name, std::move(y),
      [p, x = x.value(), weight = weight.value(), mean, scale](
          const TensorOf<S, B>& g, Slot<S, B>* to_x, Slot<T, B>* to_weight, Slot<T, B>* to_bias) {
        NormalizationGradients<S, T> to;
        const auto aim = [](auto* slot, auto*& data, bool& add) {
          if (slot == nullptr) return;
          const auto destination = slot->destination();
          data = destination.view.data();
          add = destination.accumulate;
        };
        aim(to_x, to.x, to.add_to_x);
        aim(to_weight, to.weight, to.add_to_weight);
        aim(to_bias, to.bias, to.add_to_bias);
        B::normalize_backward(p, x.data(), g.data(), mean.read().data(), scale.read().data(),
                              weight.read().data(), to);
      },
      x, weight, bias);
}

/// Over the last axes of x, whose extents are `normalized_shape`.
template <class S, class B>
Variable<S, B> normalized_last(const char* name, const Variable<S, B>& x,
                               const Shape& normalized_shape,
                               const Variable<StatisticOf<S>, B>& weight,
                               const Variable<StatisticOf<S>, B>& bias, double epsilon,
                               bool centred) {
  require_elements(name, x);
  require_epsilon(name, epsilon);
  const int first = x.shape().rank() - normalized_shape.rank();
  bool fits = first >= 0 && normalized_shape.rank() > 0;
  for (int i = 0; fits && i < normalized_shape.rank(); ++i)
    fits = x.shape()[first + i] == normalized_shape[i];
  if (!fits)
    fail<ShapeError>(OfLayer{name}, ": x ", described(x), " does not end in the normalized shape ",
                     normalized_shape, "; build the layer for the last extents of x");
  require_parameter(name, "weight", weight, normalized_shape);
  require_parameter(name, "bias", bias, normalized_shape);
  Normalization p{.epsilon = epsilon, .centred = centred};
  p.layout.channels = normalized_shape.size();
  p.layout.outer = x.size() / p.layout.channels;
  return normalized(name, x, p, weight, bias);
}

}  // namespace autograd

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, mean and variance over the last axes
/// (Ba et al., arXiv 1607.06450).
///
/// @param x                 [..., normalized_shape]
/// @param normalized_shape  the last extents of x
/// @param weight, bias      normalized_shape, or empty variables: 1 and 0
/// @return  shaped like x
/// @throws ShapeError  x does not end in the normalized shape, or a parameter has another one
/// @numerics  x is read into FP32, where statistics, sums and parameters are; one rounding at the
///            store
template <class S, class B>
Variable<S, B> layer_norm(const Variable<S, B>& x, const Shape& normalized_shape,
                          const Variable<autograd::StatisticOf<S>, B>& weight = {},
                          const Variable<autograd::StatisticOf<S>, B>& bias = {},
                          double epsilon = 1e-5) {
  return autograd::normalized_last("layer_norm", x, normalized_shape, weight, bias, epsilon, true);
}

/// y = x / sqrt(mean(x^2) + epsilon) * weight over the last axes (Zhang, Sennrich, arXiv
/// 1910.07467).
///
/// @param x                 [..., normalized_shape]
/// @param normalized_shape  the last extents of x
/// @param weight            normalized_shape, or an empty variable: 1
/// @return  shaped like x
/// @throws ShapeError  x does not end in the normalized shape, or the weight has another one
/// @numerics  as layer_norm
template <class S, class B>
Variable<S, B> rms_norm(const Variable<S, B>& x, const Shape& normalized_shape,
                        const Variable<autograd::StatisticOf<S>, B>& weight = {},
                        double epsilon = 1e-6) {
  return autograd::normalized_last("rms_norm", x, normalized_shape, weight, {}, epsilon, false);
}

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, mean and variance over one sample's
/// channels of one group and their positions (Wu, He, arXiv 1803.08494).
///
/// @param x             [samples, channels, ...]
/// @param groups        runs of channels, equally long; as many as channels: instance normalization
/// @param weight, bias  [channels], or empty variables: 1 and 0
/// @return  shaped like x
/// @throws ShapeError  the groups do not divide the channels, or a parameter has another shape
/// @numerics  as layer_norm
template <class S, class B>
Variable<S, B> group_norm(const Variable<S, B>& x, Index groups,
                          const Variable<autograd::StatisticOf<S>, B>& weight = {},
                          const Variable<autograd::StatisticOf<S>, B>& bias = {},
                          double epsilon = 1e-5) {
  using autograd::OfLayer;
  constexpr const char* name = "group_norm";
  autograd::require_elements(name, x);
  autograd::require_epsilon(name, epsilon);
  if (x.shape().rank() < 2)
    fail<ShapeError>(OfLayer{name}, ": x ", autograd::described(x),
                     " must be [samples, channels, ...]");
  const Index channels = x.shape()[1];
  if (groups < 1 || channels % groups != 0)
    fail<ShapeError>(OfLayer{name}, ": the ", channels, " channels of x ", autograd::described(x),
                     " do not fall into ", groups, " groups; the groups must divide the channels");
  autograd::require_parameter(name, "weight", weight, Shape{channels});
  autograd::require_parameter(name, "bias", bias, Shape{channels});
  Normalization p{.groups = groups, .epsilon = epsilon};
  p.layout = {x.shape()[0], channels, x.shape().size_between(2, x.shape().rank())};
  return autograd::normalized("group_norm", x, p, weight, bias);
}

template <class S, class B, class W, class... Rest>
requires autograd::WrongParameter<S, W>
auto layer_norm(const Variable<S, B>& x, const Shape&, const Variable<W, B>&, const Rest&...) {
  static_assert(NormalizationParameter<W, autograd::StatisticOf<S>>::value);
  return x;
}
template <class S, class B, class W, class... Rest>
requires autograd::WrongParameter<S, W>
auto rms_norm(const Variable<S, B>& x, const Shape&, const Variable<W, B>&, const Rest&...) {
  static_assert(NormalizationParameter<W, autograd::StatisticOf<S>>::value);
  return x;
}
template <class S, class B, class W, class... Rest>
requires autograd::WrongParameter<S, W>
auto group_norm(const Variable<S, B>& x, Index, const Variable<W, B>&, const Rest&...) {
  static_assert(NormalizationParameter<W, autograd::StatisticOf<S>>::value);
  return x;
}

}  // namespace halfstep
