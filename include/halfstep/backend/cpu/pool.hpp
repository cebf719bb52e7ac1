#pragma once

#include <halfstep/backend/cpu/rows.hpp>
#include <halfstep/ops/convolution.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// The part of a window along one axis that is not in the padding.
struct WindowSpan {
  Index first;  ///< in the input
  Index last;

  WindowSpan(Index out, Index stride, Index padding, Index kernel, Index extent)
      : first(std::max<Index>(0, window_begin(out, stride, padding))),
        last(std::min(extent, window_begin(out, stride, padding) + kernel)) {}
};

/// Pooling as packets of channels.
template <class T>
struct PoolKernel {
  PoolProblem p;

  WindowSpan rows(Index i) const {
    return {i, p.stride.height, p.padding.height, p.kernel.height, p.input.height};
  }
  WindowSpan columns(Index j) const {
    return {j, p.stride.width, p.padding.width, p.kernel.width, p.input.width};
  }
};

/// Rows [first, last) of all images' output rows.
template <class T>
struct PoolForward : PoolKernel<T> {
  const T* x;
  T* y;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const PoolProblem& p = this->p;
    const bool maximum = p.kind == PoolProblem::Kind::maximum;
    const N divisor(static_cast<float>(p.kernel.size()));
    for (Index out_row = first; out_row < last; ++out_row) {
      const T* const image = x + out_row / p.output.height * p.input.size() * p.channels;
      const WindowSpan rows = this->rows(out_row % p.output.height);
      for (Index j = 0; j < p.output.width; ++j) {
        const WindowSpan columns = this->columns(j);
        T* const to = y + (out_row * p.output.width + j) * p.channels;
        for (Index c = 0; c < p.channels; c += lanes<N>) {
          const auto count = static_cast<std::size_t>(p.channels - c);
          N result(maximum ? -std::numeric_limits<float>::infinity() : 0.0f);
          for (Index row = rows.first; row < rows.last; ++row)
            for (Index column = columns.first; column < columns.last; ++column) {
              const T* const from = image + (row * p.input.width + column) * p.channels + c;
              const N value = load_partial<N>(from, count);
              result = maximum ? max(result, value) : result + value;
            }
          store_partial(maximum ? result : result / divisor, to + c, count);
        }
      }
    }
  }
};

/// The gradients of one packet's worth of channels of one image, summed in a plane of numbers.
template <class T>
struct PoolBackward : PoolKernel<T> {
  const T* x;
  const T* upstream;
  T* gradient;
  bool accumulate;

  /// @param plane  lanes<N> numbers for each element of the image's plane
  template <class N, class Scalar>
  HALFSTEP_INLINE void image(Index n, Index c, Scalar* plane) const {
    const PoolProblem& p = this->p;
    const auto count = static_cast<std::size_t>(p.channels - c);
    constexpr Index step = lanes<N>;
    const bool maximum = p.kind == PoolProblem::Kind::maximum;
    const N share = N(1.0f) / N(static_cast<float>(p.kernel.size()));
    const T* const from = x + n * p.input.size() * p.channels + c;
    for (Index i = 0; i < p.input.size(); ++i) store(N(0.0f), plane + i * step);
    for (Index i = 0; i < p.output.height; ++i) {
      const WindowSpan rows = this->rows(i);
      for (Index j = 0; j < p.output.width; ++j) {
        const WindowSpan columns = this->columns(j);
        const Index out = (n * p.output.height + i) * p.output.width + j;
        const N value = load_partial<N>(upstream + out * p.channels + c, count);
        const N which = maximum ? largest<N>(from, rows, columns, count) : N(0.0f);
        float number = 0.0f;
        for (Index row = rows.first; row < rows.last; ++row)
          for (Index column = columns.first; column < columns.last; ++column) {
            Scalar* const sum = plane + (row * p.input.width + column) * step;
            const N part = maximum ? select(which == N(number), value, N(0.0f)) : value * share;
            store(load<N>(sum) + part, sum);
            number += 1.0f;
          }
      }
    }
    T* const to = gradient + n * p.input.size() * p.channels + c;
    for (Index i = 0; i < p.input.size(); ++i) {
      N value = load<N>(plane + i * step);
      if (accumulate) value = value + load_partial<N>(to + i * p.channels, count);
      store_partial(value, to + i * p.channels, count);
    }
  }

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    using Scalar = std::conditional_t<std::is_same_v<N, double>, double, float>;
    const Index blocks = (this->p.channels + lanes<N> - 1) / lanes<N>;
    Tensor<Scalar> plane(Shape{this->p.input.size() * lanes<N>});
    for (Index n = first; n < last; ++n)
      for (Index block = 0; block < blocks; ++block) image<N>(n, block * lanes<N>, plane.data());
  }

 private:
  /// The number of a window's largest element: the first of equal ones, the last NaN.
  template <class N>
  HALFSTEP_INLINE N largest(const T* from, const WindowSpan& rows, const WindowSpan& columns,
                            std::size_t count) const {
    N best(-std::numeric_limits<float>::infinity());
    N which(0.0f);
    float number = 0.0f;
    for (Index row = rows.first; row < rows.last; ++row)
      for (Index column = columns.first; column < columns.last; ++column) {
        const N value =
            load_partial<N>(from + (row * this->p.input.width + column) * this->p.channels, count);
        which = select(value > best, N(number), select(value != value, N(number), which));
        best = max(best, value);
        number += 1.0f;
      }
    return which;
  }
};

/// Runs a kernel on packets of channels; on one channel, packets would be of one number.
template <class T, class Kernel>
void run_channels(Index channels, const Kernel& kernel, Index first, Index last) {
  if (channels == 1)
    kernel.template operator()<halfstep::Compute<T>>(first, last);
  else
    run_as<halfstep::Compute<T>>(kernel, first, last);
}

template <class T>
void pool(const PoolProblem& p, const T* x, T* y) {
  const PoolForward<T> kernel{{p}, x, y};
  const Index read = p.output.width * p.kernel.size() * p.channels;
  parallel_for(p.batch * p.output.height, row_grain(read),
               [&](Index first, Index last) { run_channels<T>(p.channels, kernel, first, last); });
}

template <class T>
void pool_backward(const PoolProblem& p, const T* x, const T* upstream, T* gradient,
                   bool accumulate) {
  const PoolBackward<T> kernel{{p}, x, upstream, gradient, accumulate};
  parallel_for(p.batch, row_grain(p.input.size() * p.channels),
               [&](Index first, Index last) { run_channels<T>(p.channels, kernel, first, last); });
}

}  // namespace halfstep
