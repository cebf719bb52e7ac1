#pragma once

#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/ops/normalization.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// A weight or bias, where there is one.
template <class Scalar>
HALFSTEP_HOST_DEVICE Scalar value_or(const Scalar* from, Index at, Scalar otherwise) {
  return from == nullptr ? otherwise : from[at];
}

/// The first element of a channel's value i.
HALFSTEP_HOST_DEVICE inline Index channel_element(const ChannelLayout& layout, Index channel,
                                                  Index i) {
  return (i / layout.inner * layout.channels + channel) * layout.inner + i % layout.inner;
}

/// y = x' weight + bias over a sample's group: a block each.
template <class T, class Scalar>
struct NormalizeKernel {
  Normalization p;
  const T* x;
  const Scalar* weight;
  const Scalar* bias;
  T* y;
  Scalar* mean;
  Scalar* scale;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index row = block.index();
    const Index per_channel = p.layout.inner;
    const Index channels = p.layout.channels / p.groups;
    const Index n = channels * per_channel;
    const Index first_channel = row % p.groups * channels;
    const T* const from = x + row * n;
    T* const to = y + row * n;
    const auto count = static_cast<Scalar>(n);
    typename Block::template PerThread<Scalar> of_thread;
    Scalar centre = 0;
    if (p.centred) {
      block.own([&](int thread) {
        Scalar sum = 0;
        for (Index i = thread; i < n; i += block.threads()) sum += storage_cast<Scalar>(from[i]);
        of_thread[thread] = sum;
      });
      centre = combine_block<Scalar, 0>(block, of_thread, Sum()) / count;
    }
    // Twice over the row: squares of differences, not differences of squares.
    block.own([&](int thread) {
      Scalar sum = 0;
      for (Index i = thread; i < n; i += block.threads()) {
        const Scalar distance = storage_cast<Scalar>(from[i]) - centre;
        sum += distance * distance;
      }
      of_thread[thread] = sum;
    });
    const Scalar variance = combine_block<Scalar, 0>(block, of_thread, Sum()) / count;
    const Scalar factor = Scalar(1) / std::sqrt(variance + static_cast<Scalar>(p.epsilon));
    block.own([&](int thread) {
      if (thread == 0) {
        mean[row] = centre;
        scale[row] = factor;
      }
      for (Index i = thread; i < n; i += block.threads()) {
        const Index channel = first_channel + i / per_channel;
        to[i] = storage_cast<T>((storage_cast<Scalar>(from[i]) - centre) * factor *
                                    value_or(weight, channel, Scalar(1)) +
                                value_or(bias, channel, Scalar(0)));
      }
    });
  }
};

/// dx = scale (g - mean g - x' mean(g x')), g = upstream weight, over a sample's group.
template <class T, class Scalar>
struct NormalizeBackwardKernel {
  Normalization p;
  const T* x;
  const T* upstream;
  const Scalar* mean;
  const Scalar* scale;
  const Scalar* weight;
  T* gradient;
  bool accumulate;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index row = block.index();
    const Index channels = p.layout.channels / p.groups;
    const Index n = channels * p.layout.inner;
    const auto distance = [&](Index i) {
      return (storage_cast<Scalar>(x[row * n + i]) - mean[row]) * scale[row];
    };
    const auto scaled = [&](Index i) {
      const Index channel = row % p.groups * channels + i / p.layout.inner;
      return storage_cast<Scalar>(upstream[row * n + i]) * value_or(weight, channel, Scalar(1));
    };
    typename Block::template PerThread<Scalar> sums, products;
    block.own([&](int thread) {
      Scalar sum = 0, product = 0;
      for (Index i = thread; i < n; i += block.threads()) {
        const Scalar g = scaled(i);
        sum += g;
        product += g * distance(i);
      }
      sums[thread] = sum;
      products[thread] = product;
    });
    const auto count = static_cast<Scalar>(n);
    const Scalar sum = p.centred ? combine_block<Scalar, 0>(block, sums, Sum()) / count : Scalar(0);
    const Scalar product = combine_block<Scalar, 1>(block, products, Sum()) / count;
    block.own([&](int thread) {
      for (Index i = thread; i < n; i += block.threads()) {
        T& to = gradient[row * n + i];
        Scalar value = scale[row] * (scaled(i) - sum - distance(i) * product);
        if (accumulate) value += storage_cast<Scalar>(to);
        to = storage_cast<T>(value);
      }
    });
  }
};

}  // namespace halfstep
