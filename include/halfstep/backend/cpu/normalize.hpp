#pragma once

#include <halfstep/backend/cpu/reduce.hpp>
#include <halfstep/backend/cpu/rows.hpp>
#include <halfstep/ops/formulas_arithmetic.hpp>
#include <halfstep/ops/normalization.hpp>

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// A group's elements lie together: they are read once from memory, and what follows finds them in
// the cache.

/// The elements of a channel's weight or bias that belong to a packet of x: where x is one position
/// wide the channels follow each other, else one channel's positions do.
template <class Scalar>
struct PerChannel {
  const Scalar* values;
  float otherwise;  ///< where there are none
  bool along;       ///< the packet's lanes are channels

  template <class N>
  HALFSTEP_INLINE void get(Index channel, Index i, std::size_t count, N& value) const {
    if (values == nullptr)
      value = N(otherwise);
    else if (along)
      value = load_partial<N>(values + channel + i, count);
    else
      value = N(values[channel]);
  }
};

/// x, 0 in lanes that are past the end.
template <class T>
struct PlainValue {
  const T* x;
  template <class N>
  HALFSTEP_INLINE void operator()(Index i, std::size_t count, N& value) const {
    value = load_partial<N>(x + i, count);
  }
};
/// (x - mean)^2, 0 in lanes that are past the end.
template <class T, class Scalar>
struct SquaredDistance {
  const T* x;
  Scalar mean;
  template <class N>
  HALFSTEP_INLINE void operator()(Index i, std::size_t count, N& value) const {
    const N distance = load_partial<N>(x + i, count) - N(mean);
    const auto inside = lane_index<N>() < Bits<N>(static_cast<std::uint32_t>(count));
    value = select(inside, distance * distance, N(0.0f));
  }
};

/// The mean of n values that lie together, and the sum of their square distances from it.
template <class N, class T, class Scalar>
HALFSTEP_INLINE void moments_of_run(Index n, bool centred, const T* x, Scalar& mean,
                                    Scalar& squares) {
  mean = Scalar(0);
  if (centred)
    mean = static_cast<Scalar>(sum_of_row<N>(n, PlainValue<T>{x})) / static_cast<Scalar>(n);
  squares = static_cast<Scalar>(sum_of_row<N>(n, SquaredDistance<T, Scalar>{x, mean}));
}

template <class T, class Scalar>
struct NormalizeKernel {
  Normalization p;
  const T* x;
  PerChannel<Scalar> weight;
  PerChannel<Scalar> bias;
  T* y;
  Scalar* mean;
  Scalar* scale;

  /// Groups [first, last) of all samples.
  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const Index n = p.per_group();
    const Index run = weight.along ? n : p.layout.inner;
    for (Index row = first; row < last; ++row) {
      Scalar squares;
      moments_of_run<N>(n, p.centred, x + row * n, mean[row], squares);
      scale[row] =
          Scalar(1) / std::sqrt(squares / static_cast<Scalar>(n) + static_cast<Scalar>(p.epsilon));
      Index channel = row % p.groups * p.channels_per_group();
      for (Index at = row * n; at < (row + 1) * n; at += run, ++channel)
        for (Index i = 0; i < run; i += lanes<N>) {
          const auto count = static_cast<std::size_t>(run - i);
          N w, b;
          weight.get(channel, i, count, w);
          bias.get(channel, i, count, b);
          const N distance = (load_partial<N>(x + at + i, count) - N(mean[row])) * N(scale[row]);
          store_partial(fma(distance, w, b), y + at + i, count);
        }
    }
  }
};

/// One group of some samples: dx, and what the samples add to their channels' weights and biases.
template <class T, class Scalar>
struct NormalizeBackwardKernel {
  Normalization p;
  const T* x;
  const T* upstream;
  const Scalar* mean;
  const Scalar* scale;
  PerChannel<Scalar> weight;
  T* gradient;
  bool accumulate;
  Index samples;           ///< of a piece
  Scalar* partial_weight;  ///< [pieces of samples, channels], or a null pointer
  Scalar* partial_bias;

  /// Pieces [first, last): samples by groups.
  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index piece = first; piece < last; ++piece) {
      const Index part = piece / p.groups;
      const Index channel = piece % p.groups * p.channels_per_group();
      const Index end = std::min(p.layout.outer, (part + 1) * samples);
      if (partial_weight != nullptr) {
        const Index to = part * p.layout.channels + channel;
        std::fill_n(partial_weight + to, p.channels_per_group(), Scalar(0));
        std::fill_n(partial_bias + to, p.channels_per_group(), Scalar(0));
      }
      for (Index sample = part * samples; sample < end; ++sample)
        row<N>(sample * p.groups + piece % p.groups, channel, part * p.layout.channels);
    }
  }

 private:
  template <class N>
  HALFSTEP_INLINE void row(Index row, Index first_channel, Index to) const {
    const Index n = p.per_group();
    const Index run = weight.along ? n : p.layout.inner;
    Scalar sum_row = 0, product_row = 0;
    Index channel = first_channel;
    for (Index at = row * n; at < (row + 1) * n; at += run, ++channel)
      sums<N>(row, at, run, channel, to + channel, sum_row, product_row);
    if (gradient == nullptr) return;
    const N mean_gradient(p.centred ? sum_row / static_cast<Scalar>(n) : Scalar(0));
    const N mean_product(product_row / static_cast<Scalar>(n));
    channel = first_channel;
    for (Index at = row * n; at < (row + 1) * n; at += run, ++channel)
      for (Index i = 0; i < run; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(run - i);
        N w;
        weight.get(channel, i, count, w);
        const N distance = (load_partial<N>(x + at + i, count) - N(mean[row])) * N(scale[row]);
        const N g = load_partial<N>(upstream + at + i, count) * w;
        N value = N(scale[row]) * (g - mean_gradient - distance * mean_product);
        if (accumulate) value = value + load_partial<N>(gradient + at + i, count);
        store_partial(value, gradient + at + i, count);
      }
  }

  /// Adds a run's sums of g and g x' to its row's, and its upstream's to its channels'.
  template <class N>
  HALFSTEP_INLINE void sums(Index row, Index at, Index run, Index channel, Index to,
                            Scalar& sum_row, Scalar& product_row) const {
    constexpr Index block = 64 * lanes<N>;
    N sum_all(0.0f), product_all(0.0f);
    for (Index begin = 0; begin < run; begin += block) {
      N sum_block(0.0f), product_block(0.0f);
      for (Index i = begin; i < std::min(run, begin + block); i += lanes<N>) {
        const auto count = static_cast<std::size_t>(run - i);
        // Past the end the upstream is 0, and so is all that is added.
        const N u = load_partial<N>(upstream + at + i, count);
        const N distance = (load_partial<N>(x + at + i, count) - N(mean[row])) * N(scale[row]);
        const N product = u * distance;
        N w(1.0f);
        if (weight.along) {
          weight.get(channel, i, count, w);
          if (partial_weight != nullptr) {
            Scalar* const to_weight = partial_weight + to + i;
            Scalar* const to_bias = partial_bias + to + i;
            store_partial(load_partial<N>(to_weight, count) + product, to_weight, count);
            store_partial(load_partial<N>(to_bias, count) + u, to_bias, count);
          }
        }
        sum_block = sum_block + u * w;
        product_block = product_block + product * w;
      }
      sum_all = sum_all + sum_block;
      product_all = product_all + product_block;
    }
    const auto sum_run = static_cast<Scalar>(sum(sum_all));
    const auto product_run = static_cast<Scalar>(sum(product_all));
    const Scalar w = weight.along || weight.values == nullptr ? Scalar(1) : weight.values[channel];
    sum_row += w * sum_run;
    product_row += w * product_run;
    if (weight.along || partial_weight == nullptr) return;
    partial_weight[to] += product_run;
    partial_bias[to] += sum_run;
  }
};

/// See ops/backend.hpp for the functions below.
template <class T, class Scalar>
void normalize(const Normalization& p, const T* x, const Scalar* weight, const Scalar* bias, T* y,
               Scalar* mean, Scalar* scale) {
  const bool along = p.layout.inner == 1;
  for_each_row<Scalar>(
      p.layout.outer * p.groups, p.per_group(),
      NormalizeKernel<T, Scalar>{p, x, {weight, 1.0f, along}, {bias, 0.0f, along}, y, mean, scale});
}

template <class T, class Scalar>
void normalize_backward(const Normalization& p, const T* x, const T* upstream, const Scalar* mean,
                        const Scalar* scale, const Scalar* weight,
                        const NormalizationGradients<T, Scalar>& to) {
  const Index channels = p.layout.channels;
  // Pieces of at most 32 samples: few sums to keep, and sums of sums lose little.
  const Index samples = std::clamp<Index>(element_grain / (channels * p.layout.inner), 1, 32);
  const Index pieces = (p.layout.outer + samples - 1) / samples;
  const bool wanted = to.weight != nullptr || to.bias != nullptr;
  Tensor<Scalar> partial(Shape{wanted ? 2 * pieces * channels : 0});
  Scalar* const partial_weight = wanted ? partial.data() : nullptr;
  Scalar* const partial_bias = wanted ? partial.data() + pieces * channels : nullptr;
  const NormalizeBackwardKernel<T, Scalar> kernel{
      p,    x,           upstream, mean,           scale,       {weight, 1.0f, p.layout.inner == 1},
      to.x, to.add_to_x, samples,  partial_weight, partial_bias};
  for_each_row<Scalar>(pieces * p.groups, samples * p.per_group(), kernel);
  const auto add_up = [&](const Scalar* from, Scalar* into, bool accumulate) {
    const ReduceProblem rows{.reduced = pieces, .inner = channels, .accumulate = accumulate};
    if (into != nullptr) reduce<Reduction::sum>(rows, formulas::Identity{}, into, from);
  };
  add_up(partial_weight, to.weight, to.add_to_weight);
  add_up(partial_bias, to.bias, to.add_to_bias);
}

}  // namespace halfstep
