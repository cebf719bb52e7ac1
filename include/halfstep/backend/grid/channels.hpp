#pragma once

#include <halfstep/backend/grid/normalize.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// Sums over the values of each channel, of [outer, channels, inner].

/// Values of a channel that a block sums in one go: few enough pieces to add them up one by one.
inline Index channel_piece(const ChannelLayout& layout) {
  const Index most_pieces = 256;
  const Index piece = rounded_up(layout.per_channel(), most_pieces);
  return piece < 1024 ? 1024 : piece;
}

/// partial[k, piece, channel] = the sum of terms(channel, element)[k] over a piece.
///
/// @tparam Terms  two numbers for each element: `Pair operator()(Index channel, Index element)`
template <class Scalar, class Terms>
struct ChannelSumKernel {
  static constexpr int across = 32;  ///< channels of a block where neighbours are channels
  static constexpr int threads = 256;

  ChannelLayout layout;
  Index piece;
  Index pieces;
  Terms terms;
  Scalar* partial;

  static constexpr bool by_channels(const ChannelLayout& layout) { return layout.inner == 1; }
  GridSize grid() const {
    const Index tiles = by_channels(layout) ? rounded_up(layout.channels, across) : layout.channels;
    return {tiles * pieces, threads};
  }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    // Neighbouring threads read neighbouring elements: other channels, or others of the channel.
    const bool across_channels = layout.inner == 1;
    const Index width = across_channels ? across : 1;
    const Index tiles = rounded_up(layout.channels, width);
    const Index first_channel = block.index() % tiles * width;
    const Index at = block.index() / tiles;
    const Index count = layout.outer * layout.inner;
    const Index last = smaller(count, (at + 1) * piece);
    Scalar* const parts = block.template shared<Scalar, 2 * threads, 0>();
    block.each([&](int thread) {
      const Index channel = first_channel + thread % width;
      Scalar first = 0, second = 0;
      for (Index i = at * piece + thread / width; channel < layout.channels && i < last;
           i += threads / width) {
        const auto [a, b] = terms(channel, channel_element(layout, channel, i));
        first += a;
        second += b;
      }
      parts[thread] = first;
      parts[threads + thread] = second;
    });
    for (Index half = threads / 2; half >= width; half /= 2)
      block.each([&](int thread) {
        if (thread >= half) return;
        parts[thread] += parts[thread + half];
        parts[threads + thread] += parts[threads + thread + half];
      });
    block.own([&](int thread) {
      if (thread >= width || first_channel + thread >= layout.channels) return;
      const Index to = at * layout.channels + first_channel + thread;
      partial[to] = parts[thread];
      partial[pieces * layout.channels + to] = parts[threads + thread];
    });
  }
};

/// Hands each channel's two sums over all pieces to `finish(channel, first, second)`.
template <class Scalar, class Finish>
struct FinishChannels {
  Index channels;
  Index pieces;
  const Scalar* partial;
  Finish finish;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index channel = block.index() * block.threads() + thread;
      if (channel >= channels) return;
      double first = 0.0, second = 0.0;
      for (Index at = 0; at < pieces; ++at) {
        first += static_cast<double>(partial[at * channels + channel]);
        second += static_cast<double>(partial[(pieces + at) * channels + channel]);
      }
      finish(channel, first, second);
    });
  }
};

template <class Scalar>
struct Pair {
  Scalar first, second;
};

template <class T, class Scalar>
struct SumOfValues {
  const T* x;
  HALFSTEP_HOST_DEVICE Pair<Scalar> operator()(Index, Index at) const {
    return {storage_cast<Scalar>(x[at]), Scalar(0)};
  }
};
template <class T, class Scalar>
struct SumOfSquares {
  const T* x;
  const Scalar* mean;
  HALFSTEP_HOST_DEVICE Pair<Scalar> operator()(Index channel, Index at) const {
    const Scalar distance = storage_cast<Scalar>(x[at]) - mean[channel];
    return {distance * distance, Scalar(0)};
  }
};
/// upstream and upstream x', with a mean and a scale for each channel or each sample's group.
template <class T, class Scalar>
struct SumsOfGradients {
  const T* x;
  const T* upstream;
  const Scalar* mean;
  const Scalar* scale;
  Index per_row;  ///< elements that share a mean; 0: a channel's
  HALFSTEP_HOST_DEVICE Pair<Scalar> operator()(Index channel, Index at) const {
    const Index row = per_row == 0 ? channel : at / per_row;
    const Scalar u = storage_cast<Scalar>(upstream[at]);
    return {u, u * (storage_cast<Scalar>(x[at]) - mean[row]) * scale[row]};
  }
};

/// Stores a mean over so many values.
template <class Scalar>
struct StoreMean {
  double share;
  Scalar* mean;
  HALFSTEP_HOST_DEVICE void operator()(Index channel, double sum, double) const {
    mean[channel] = static_cast<Scalar>(sum * share);
  }
};
/// Stores both sums, or adds them; a null pointer is not wanted.
template <class Scalar>
struct StoreSums {
  Scalar* sum;
  Scalar* product;
  bool add_to_sum;
  bool add_to_product;
  HALFSTEP_HOST_DEVICE void operator()(Index channel, double first, double second) const {
    if (sum != nullptr)
      sum[channel] = static_cast<Scalar>(first + (add_to_sum ? sum[channel] : Scalar(0)));
    if (product != nullptr)
      product[channel] =
          static_cast<Scalar>(second + (add_to_product ? product[channel] : Scalar(0)));
  }
};

/// y = x' weight + bias, a mean and a scale for each channel.
template <class T, class Scalar>
struct ChannelAffineKernel {
  ChannelLayout layout;
  const T* x;
  const Scalar* mean;
  const Scalar* scale;
  const Scalar* weight;
  const Scalar* bias;
  T* y;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      if (at >= layout.outer * layout.channels * layout.inner) return;
      const Index c = at / layout.inner % layout.channels;
      const Scalar distance = (storage_cast<Scalar>(x[at]) - mean[c]) * scale[c];
      y[at] =
          storage_cast<T>(distance * value_or(weight, c, Scalar(1)) + value_or(bias, c, Scalar(0)));
    });
  }
};

/// gradient = weight scale (upstream - share (sum + x' product)).
template <class T, class Scalar>
struct ChannelGradientKernel {
  ChannelLayout layout;
  const T* x;
  const T* upstream;
  const Scalar* mean;
  const Scalar* scale;
  const Scalar* weight;
  const Scalar* sum;
  const Scalar* product;
  Scalar share;
  T* gradient;
  bool accumulate;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      if (at >= layout.outer * layout.channels * layout.inner) return;
      const Index c = at / layout.inner % layout.channels;
      const Scalar distance = (storage_cast<Scalar>(x[at]) - mean[c]) * scale[c];
      const Scalar shared = share * (sum[c] + distance * product[c]);
      Scalar value =
          value_or(weight, c, Scalar(1)) * scale[c] * (storage_cast<Scalar>(upstream[at]) - shared);
      if (accumulate) value += storage_cast<Scalar>(gradient[at]);
      gradient[at] = storage_cast<T>(value);
    });
  }
};

}  // namespace halfstep
