#pragma once

#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/normalization.hpp>

#include <cmath>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::reference {

// What normalization means, in plain loops and with sums in double. x' is (x - mean) scale.

/// What an operation that may add to a gradient does with it.
template <class T>
void add_or_set(T& to, double value, bool accumulate) {
  to = storage_cast<T>(accumulate ? storage_cast<double>(to) + value : value);
}
template <class Scalar>
double value_or(const Scalar* from, Index at, double otherwise) {
  return from == nullptr ? otherwise : static_cast<double>(from[at]);
}

/// The mean and the mean square distance from it of count(i) values x(i).
template <class X>
void moments(Index count, bool centred, const X& x, double& mean, double& variance) {
  mean = 0.0;
  for (Index i = 0; centred && i < count; ++i) mean += x(i);
  mean /= static_cast<double>(count);
  variance = 0.0;
  for (Index i = 0; i < count; ++i) variance += (x(i) - mean) * (x(i) - mean);
  variance /= static_cast<double>(count);
}

/// y = x' weight + bias, with the mean of a sample's group and scale = 1 / sqrt(variance +
/// epsilon).
template <class T, class Scalar>
void normalize(const Normalization& p, const T* x, const Scalar* weight, const Scalar* bias, T* y,
               Scalar* mean, Scalar* scale) {
  const Index n = p.per_group();
  for (Index row = 0; row < p.layout.outer * p.groups; ++row, x += n, y += n) {
    double mean_row = 0.0, variance = 0.0;
    moments(
        n, p.centred, [&](Index i) { return storage_cast<double>(x[i]); }, mean_row, variance);
    const double scale_row = 1.0 / std::sqrt(variance + p.epsilon);
    mean[row] = static_cast<Scalar>(mean_row);
    scale[row] = static_cast<Scalar>(scale_row);
    for (Index i = 0; i < n; ++i) {
      const Index channel = row % p.groups * p.channels_per_group() + i / p.layout.inner;
      y[i] = storage_cast<T>((storage_cast<double>(x[i]) - mean_row) * scale_row *
                                 value_or(weight, channel, 1.0) +
                             value_or(bias, channel, 0.0));
    }
  }
}

/// With g = upstream weight and means over a group:
///   dx = scale (g - mean g - x' mean(g x')), without the second term where the mean is taken as 0;
///   dweight = sum upstream x', dbias = sum upstream, over samples and positions.
template <class T, class Scalar>
void normalize_backward(const Normalization& p, const T* x, const T* upstream, const Scalar* mean,
                        const Scalar* scale, const Scalar* weight,
                        const NormalizationGradients<T, Scalar>& to) {
  const Index n = p.per_group();
  std::vector<double> to_weight(static_cast<std::size_t>(p.layout.channels));
  std::vector<double> to_bias(to_weight.size());
  for (Index row = 0; row < p.layout.outer * p.groups; ++row) {
    const auto scale_row = static_cast<double>(scale[row]);
    const auto channel = [&](Index i) {
      return row % p.groups * p.channels_per_group() + i / p.layout.inner;
    };
    const auto distance = [&](Index i) {
      return (storage_cast<double>(x[row * n + i]) - static_cast<double>(mean[row])) * scale_row;
    };
    const auto gradient = [&](Index i) {
      return storage_cast<double>(upstream[row * n + i]) * value_or(weight, channel(i), 1.0);
    };
    double sum = 0.0, product = 0.0;
    for (Index i = 0; i < n; ++i) {
      sum += p.centred ? gradient(i) : 0.0;
      product += gradient(i) * distance(i);
      const double u = storage_cast<double>(upstream[row * n + i]);
      to_weight[static_cast<std::size_t>(channel(i))] += u * distance(i);
      to_bias[static_cast<std::size_t>(channel(i))] += u;
    }
    const auto count = static_cast<double>(n);
    for (Index i = 0; to.x != nullptr && i < n; ++i)
      add_or_set(to.x[row * n + i],
                 scale_row * (gradient(i) - sum / count - distance(i) * (product / count)),
                 to.add_to_x);
  }
  for (Index c = 0; c < p.layout.channels; ++c) {
    const auto at = static_cast<std::size_t>(c);
    if (to.weight != nullptr) add_or_set(to.weight[c], to_weight[at], to.add_to_weight);
    if (to.bias != nullptr) add_or_set(to.bias[c], to_bias[at], to.add_to_bias);
  }
}

/// Element i of the values of one channel.
inline Index channel_element(const ChannelLayout& layout, Index channel, Index i) {
  return (i / layout.inner * layout.channels + channel) * layout.inner + i % layout.inner;
}

/// The mean and the variance (over n, not n - 1) of each channel.
template <class T, class Scalar>
void channel_moments(const ChannelLayout& layout, const T* x, Scalar* mean, Scalar* variance) {
  for (Index c = 0; c < layout.channels; ++c) {
    double mean_c = 0.0, variance_c = 0.0;
    moments(
        layout.per_channel(), true,
        [&](Index i) { return storage_cast<double>(x[channel_element(layout, c, i)]); }, mean_c,
        variance_c);
    mean[c] = static_cast<Scalar>(mean_c);
    variance[c] = static_cast<Scalar>(variance_c);
  }
}

/// y = x' weight + bias, with a mean and a scale for each channel.
template <class T, class Scalar>
void channel_affine(const ChannelLayout& layout, const T* x, const Scalar* mean,
                    const Scalar* scale, const Scalar* weight, const Scalar* bias, T* y) {
  for (Index c = 0; c < layout.channels; ++c)
    for (Index i = 0; i < layout.per_channel(); ++i) {
      const Index at = channel_element(layout, c, i);
      const double distance = (storage_cast<double>(x[at]) - static_cast<double>(mean[c])) *
                              static_cast<double>(scale[c]);
      y[at] = storage_cast<T>(distance * value_or(weight, c, 1.0) + value_or(bias, c, 0.0));
    }
}

/// sum = sum upstream, product = sum upstream x', over each channel.
template <class T, class Scalar>
void channel_sums(const ChannelLayout& layout, const T* x, const T* upstream, const Scalar* mean,
                  const Scalar* scale, Scalar* sum, Scalar* product) {
  for (Index c = 0; c < layout.channels; ++c) {
    double sum_c = 0.0, product_c = 0.0;
    for (Index i = 0; i < layout.per_channel(); ++i) {
      const Index at = channel_element(layout, c, i);
      const double u = storage_cast<double>(upstream[at]);
      sum_c += u;
      product_c += u * (storage_cast<double>(x[at]) - static_cast<double>(mean[c])) *
                   static_cast<double>(scale[c]);
    }
    sum[c] = static_cast<Scalar>(sum_c);
    product[c] = static_cast<Scalar>(product_c);
  }
}

/// gradient = weight scale (upstream - share (sum + x' product)).
template <class T, class Scalar>
void channel_gradient(const ChannelLayout& layout, const T* x, const T* upstream,
                      const Scalar* mean, const Scalar* scale, const Scalar* weight,
                      const Scalar* sum, const Scalar* product, double share, T* gradient,
                      bool accumulate) {
  for (Index c = 0; c < layout.channels; ++c)
    for (Index i = 0; i < layout.per_channel(); ++i) {
      const Index at = channel_element(layout, c, i);
      const auto scale_c = static_cast<double>(scale[c]);
      const double distance =
          (storage_cast<double>(x[at]) - static_cast<double>(mean[c])) * scale_c;
      const double shared =
          share * (static_cast<double>(sum[c]) + distance * static_cast<double>(product[c]));
      add_or_set(gradient[at],
                 value_or(weight, c, 1.0) * scale_c * (storage_cast<double>(upstream[at]) - shared),
                 accumulate);
    }
}

}  // namespace halfstep
