#pragma once

#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/ops/convolution.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// y of a pooling: a thread an output.
template <class S>
struct PoolKernel {
  PoolProblem p;
  const S* x;
  S* y;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index to = block.index() * block.threads() + thread;
      if (to >= p.batch * p.channels * p.output.height * p.output.width) return;
      if (p.kind == PoolProblem::Kind::maximum) {
        y[to] = x[largest(to)];
        return;
      }
      using Scalar = RowScalar<S>;
      Scalar sum = 0;
      for_each_of_window(to, [&](Index at) { sum += storage_cast<Scalar>(x[at]); });
      y[to] = storage_cast<S>(sum / static_cast<Scalar>(p.kernel.height * p.kernel.width));
    });
  }

  /// Calls f(element) for the elements of an output's window, row by row, without the padding.
  HALFSTEP_CALLS_EITHER
  template <class F>
  HALFSTEP_HOST_DEVICE void for_each_of_window(Index to, const F& f) const {
    const Index c = to % p.channels;
    const Index j = to / p.channels % p.output.width;
    const Index i = to / p.channels / p.output.width % p.output.height;
    const Index n = to / p.channels / p.output.width / p.output.height;
    for (Index u = 0; u < p.kernel.height; ++u)
      for (Index v = 0; v < p.kernel.width; ++v) {
        const Index row = i * p.stride.height - p.padding.height + u;
        const Index column = j * p.stride.width - p.padding.width + v;
        if (row >= 0 && row < p.input.height && column >= 0 && column < p.input.width)
          f(((n * p.input.height + row) * p.input.width + column) * p.channels + c);
      }
  }
  /// The first of equal maxima, the last NaN.
  HALFSTEP_HOST_DEVICE Index largest(Index to) const {
    using Scalar = RowScalar<S>;
    Index found = -1;
    Scalar most = 0;
    for_each_of_window(to, [&](Index at) {
      const Scalar value = storage_cast<Scalar>(x[at]);
      if (found < 0 || value > most || value != value) {
        found = at;
        most = value;
      }
    });
    return found;
  }
};

/// The gradient of x: a thread an input, which gathers from the windows that it lies in. No two
/// threads add to one number.
template <class S>
struct PoolBackwardKernel {
  PoolKernel<S> pool;
  const S* upstream;
  S* gradient;
  bool accumulate;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const PoolProblem& p = pool.p;
    using Scalar = RowScalar<S>;
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      if (at >= p.batch * p.channels * p.input.height * p.input.width) return;
      const Index c = at % p.channels;
      const Index column = at / p.channels % p.input.width;
      const Index row = at / p.channels / p.input.width % p.input.height;
      const Index n = at / p.channels / p.input.width / p.input.height;
      Scalar sum = 0;
      for (Index i = first_window(row + p.padding.height, p.kernel.height, p.stride.height);
           i * p.stride.height <= row + p.padding.height && i < p.output.height; ++i)
        for (Index j = first_window(column + p.padding.width, p.kernel.width, p.stride.width);
             j * p.stride.width <= column + p.padding.width && j < p.output.width; ++j) {
          const Index from = ((n * p.output.height + i) * p.output.width + j) * p.channels + c;
          const Scalar value = storage_cast<Scalar>(upstream[from]);
          if (p.kind == PoolProblem::Kind::average)
            sum += value / static_cast<Scalar>(p.kernel.height * p.kernel.width);
          else if (pool.largest(from) == at)
            sum += value;
        }
      if (accumulate) sum += storage_cast<Scalar>(gradient[at]);
      gradient[at] = storage_cast<S>(sum);
    });
  }

 private:
  static HALFSTEP_HOST_DEVICE Index first_window(Index position, Index kernel, Index stride) {
    return position < kernel ? 0 : (position - kernel) / stride + 1;
  }
};

/// The windows of images [first, first + count) as rows of a matrix for each group,
/// [groups, count * output, channels / groups * kernel], as the weight has them.
template <class S>
struct WindowsKernel {
  ConvolutionProblem p;
  Index first, count;
  const S* x;
  S* rows;

  Index size() const { return count * p.output.size() * p.channels * p.kernel.size(); }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index channels = p.channels / p.groups;
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      Index rest = at;
      const auto next = [&](Index extent) {
        const Index position = rest % extent;
        rest /= extent;
        return position;
      };
      const Index v = next(p.kernel.width), u = next(p.kernel.height), c = next(channels);
      const Index j = next(p.output.width), i = next(p.output.height), n = next(count);
      if (rest >= p.groups) return;
      const Index row = i * p.stride.height - p.padding.height + u * p.dilation.height;
      const Index column = j * p.stride.width - p.padding.width + v * p.dilation.width;
      const bool inside = row >= 0 && row < p.input.height && column >= 0 && column < p.input.width;
      rows[at] = inside ? x[element(first + n, rest * channels + c, row, column)] : S{};
    });
  }
  HALFSTEP_HOST_DEVICE Index element(Index n, Index channel, Index row, Index column) const {
    return p.layout == ImageLayout::channels_last
               ? ((n * p.input.height + row) * p.input.width + column) * p.channels + channel
               : ((n * p.channels + channel) * p.input.height + row) * p.input.width + column;
  }
};

/// The way back: every element of x gathers from the rows' elements that are copies of it.
template <class S>
struct FoldKernel {
  WindowsKernel<S> windows;  ///< its arrays are not read
  const RowScalar<S>* rows;
  const S* bias;
  S* x;
  bool accumulate;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    using Scalar = RowScalar<S>;
    const ConvolutionProblem& p = windows.p;
    const Index channels = p.channels / p.groups;
    block.own([&](int thread) {
      Index rest = block.index() * block.threads() + thread;
      const auto next = [&](Index extent) {
        const Index position = rest % extent;
        rest /= extent;
        return position;
      };
      const Index column = next(p.input.width), row = next(p.input.height);
      const Index channel = next(p.channels), n = rest;
      if (n >= windows.count) return;
      const Index group = channel / channels, c = channel % channels;
      Scalar sum = bias == nullptr ? Scalar(0) : storage_cast<Scalar>(bias[channel]);
      for (Index u = 0; u < p.kernel.height; ++u)
        for (Index v = 0; v < p.kernel.width; ++v) {
          const Index up = row + p.padding.height - u * p.dilation.height;
          const Index along = column + p.padding.width - v * p.dilation.width;
          if (up < 0 || along < 0 || up % p.stride.height != 0 || along % p.stride.width != 0)
            continue;
          const Index i = up / p.stride.height, j = along / p.stride.width;
          if (i >= p.output.height || j >= p.output.width) continue;
          const Index window =
              ((group * windows.count + n) * p.output.height + i) * p.output.width + j;
          sum += rows[((window * channels + c) * p.kernel.height + u) * p.kernel.width + v];
        }
      S& to = x[windows.element(windows.first + n, channel, row, column)];
      if (accumulate) sum += storage_cast<Scalar>(to);
      to = storage_cast<S>(sum);
    });
  }
};

}  // namespace halfstep
