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
  bool maximum() const { return p.kind == PoolProblem::Kind::maximum; }

  /// load_partial and store_partial; a loop over whole packets is half as long without the question
  /// which one is.
  template <class N, bool Whole>
  static HALFSTEP_INLINE N get(const T* from, std::size_t count) {
    if constexpr (Whole) {
      return load<N>(from);
    } else {
      return load_partial<N>(from, count);
    }
  }
  template <bool Whole, class N>
  static HALFSTEP_INLINE void put(const N& value, T* to, std::size_t count) {
    if constexpr (Whole) {
      store(value, to);
    } else {
      store_partial(value, to, count);
    }
  }

  /// The sum of a window, or its maximum.
  /// @param from  a packet's first channel in an image
  template <class N, bool Whole>
  HALFSTEP_INLINE N of_window(const T* from, const WindowSpan& rows, const WindowSpan& columns,
                              std::size_t count) const {
    const Index row_step = p.input.width * p.channels;
    const T* const first = from + columns.first * p.channels;
    const T* const last = from + columns.last * p.channels;
    if (!maximum()) {
      N sum(0.0f);
      for (Index row = rows.first; row < rows.last; ++row)
        for (Index at = row * row_step; first + at < last + row * row_step; at += p.channels)
          sum = sum + get<N, Whole>(first + at, count);
      return sum;
    }
    N best(-std::numeric_limits<float>::infinity());
    for (Index row = rows.first; row < rows.last; ++row)
      for (Index at = row * row_step; first + at < last + row * row_step; at += p.channels)
        best = max(best, get<N, Whole>(first + at, count));
    return best;
  }
  /// The number of a window's largest element: the first of equal ones, the last NaN.
  template <class N>
  HALFSTEP_INLINE N number_of_largest(const T* from, const WindowSpan& rows,
                                      const WindowSpan& columns, std::size_t count) const {
    N best(-std::numeric_limits<float>::infinity());
    N which(0.0f);
    float number = 0.0f;
    for (Index row = rows.first; row < rows.last; ++row)
      for (Index column = columns.first; column < columns.last; ++column) {
        const N value = load_partial<N>(from + (row * p.input.width + column) * p.channels, count);
        which = select(value > best, N(number), select(value != value, N(number), which));
        best = max(best, value);
        number += 1.0f;
      }
    return which;
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
    const Index whole = p.channels / lanes<N> * lanes<N>;
    for (Index out_row = first; out_row < last; ++out_row) {
      const T* const image = x + out_row / p.output.height * p.input.size() * p.channels;
      const WindowSpan rows = this->rows(out_row % p.output.height);
      for (Index j = 0; j < p.output.width; ++j) {
        const WindowSpan columns = this->columns(j);
        T* const to = y + (out_row * p.output.width + j) * p.channels;
        for (Index c = 0; c < whole; c += lanes<N>)
          window<N, true>(image + c, rows, columns, to + c, lanes<N>);
        if (whole < p.channels)
          window<N, false>(image + whole, rows, columns, to + whole, p.channels - whole);
      }
    }
  }

 private:
  template <class N, bool Whole>
  HALFSTEP_INLINE void window(const T* from, const WindowSpan& rows, const WindowSpan& columns,
                              T* to, Index channels) const {
    const auto count = static_cast<std::size_t>(channels);
    const N result = this->template of_window<N, Whole>(from, rows, columns, count);
    const N divisor(static_cast<float>(this->p.kernel.size()));
    PoolKernel<T>::template put<Whole>(this->maximum() ? result : result / divisor, to, count);
  }
};

/// Gradients where windows do not overlap. Each window writes the elements up to the next one's
/// first, of which it has those that are in it.
template <class T>
struct PoolBackwardApart : PoolKernel<T> {
  const T* x;
  const T* upstream;
  T* gradient;
  bool accumulate;

  /// Rows [first, last) of all images' output rows.
  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const PoolProblem& p = this->p;
    const Index whole = p.channels / lanes<N> * lanes<N>;
    for (Index out_row = first; out_row < last; ++out_row) {
      const Index image = out_row / p.output.height * p.input.size() * p.channels;
      const Index i = out_row % p.output.height;
      const WindowSpan rows = this->rows(i);
      const Index bottom = i + 1 < p.output.height ? this->rows(i + 1).first : p.input.height;
      for (Index j = 0; j < p.output.width; ++j) {
        const WindowSpan columns = this->columns(j);
        const Index right = j + 1 < p.output.width ? this->columns(j + 1).first : p.input.width;
        const T* const from = upstream + (out_row * p.output.width + j) * p.channels;
        for (Index c = 0; c < whole; c += lanes<N>)
          window<N, true>(rows, bottom, columns, right, from + c, image + c, lanes<N>);
        if (whole < p.channels)
          window<N, false>(rows, bottom, columns, right, from + whole, image + whole,
                           p.channels - whole);
      }
    }
  }

 private:
  template <class N, bool Whole>
  HALFSTEP_INLINE void window(const WindowSpan& rows, Index bottom, const WindowSpan& columns,
                              Index right, const T* from, Index at, Index channels) const {
    using Base = PoolKernel<T>;
    const PoolProblem& p = this->p;
    const bool maximum = this->maximum();
    const auto count = static_cast<std::size_t>(channels);
    const N value = Base::template get<N, Whole>(from, count);
    const N share = value / N(static_cast<float>(p.kernel.size()));
    N best(0.0f);
    if (maximum) best = this->template of_window<N, Whole>(x + at, rows, columns, count);
    // A comparison finds the largest, which then leaves nothing to those that equal it; where it is
    // NaN, that takes numbers.
    const bool numbered = any(best != best);
    N which(0.0f);
    if (numbered) which = this->template number_of_largest<N>(x + at, rows, columns, count);
    N left = value;
    float number = 0.0f;
    for (Index row = rows.first; row < bottom; ++row)
      for (Index column = columns.first; column < right; ++column) {
        const Index place = at + (row * p.input.width + column) * p.channels;
        N part(0.0f);
        if (row < rows.last && column < columns.last) {
          if (!maximum) {
            part = share;
          } else if (numbered) {
            part = select(which == N(number), value, N(0.0f));
          } else {
            const auto smaller = Base::template get<N, Whole>(x + place, count) < best;
            part = select(smaller, N(0.0f), left);
            left = select(smaller, left, N(0.0f));
          }
          number += 1.0f;
        }
        if (accumulate) part = part + Base::template get<N, Whole>(gradient + place, count);
        Base::template put<Whole>(part, gradient + place, count);
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
    const bool maximum = this->maximum();
    const N share = N(1.0f) / N(static_cast<float>(p.kernel.size()));
    const T* const from = x + n * p.input.size() * p.channels + c;
    for (Index i = 0; i < p.input.size(); ++i) store(N(0.0f), plane + i * step);
    for (Index i = 0; i < p.output.height; ++i) {
      const WindowSpan rows = this->rows(i);
      for (Index j = 0; j < p.output.width; ++j) {
        const WindowSpan columns = this->columns(j);
        const Index out = (n * p.output.height + i) * p.output.width + j;
        const N value = load_partial<N>(upstream + out * p.channels + c, count);
        const N which =
            maximum ? this->template number_of_largest<N>(from, rows, columns, count) : N(0.0f);
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
  if (p.kernel.height <= p.stride.height && p.kernel.width <= p.stride.width) {
    const PoolBackwardApart<T> kernel{{p}, x, upstream, gradient, accumulate};
    const Index written = p.input.size() / p.output.height * p.channels;
    parallel_for(p.batch * p.output.height, row_grain(written), [&](Index first, Index last) {
      run_channels<T>(p.channels, kernel, first, last);
    });
    return;
  }
  const PoolBackward<T> kernel{{p}, x, upstream, gradient, accumulate};
  parallel_for(p.batch, row_grain(p.input.size() * p.channels),
               [&](Index first, Index last) { run_channels<T>(p.channels, kernel, first, last); });
}

}  // namespace halfstep
