#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/cross_entropy.hpp>
#include <halfstep/ops/index_check.hpp>

#include <cmath>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// Rows of n elements that one thread takes at a time.
inline Index row_grain(Index n) {
  return std::max<Index>(1, element_grain / std::max<Index>(1, n));
}

/// Sums of f(i, count) over the packets of [0, n), in blocks, so that long rows lose little.
template <class N, class F>
HALFSTEP_INLINE auto sum_of_row(Index n, const F& f) {
  constexpr Index step = lanes<N>;
  constexpr Index block = 64 * step;
  N total(0.0f);
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = std::min(n, begin + block);
    N partial(0.0f);
    for (Index i = begin; i < end; i += step) {
      N value;
      f(i, static_cast<std::size_t>(n - i), value);
      partial = partial + value;
    }
    total = total + partial;
  }
  return sum(total);
}

template <class N, class T>
HALFSTEP_INLINE auto largest_of_row(Index n, const T* x) {
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  N largest(lowest);
  for (Index i = 0; i < n; i += lanes<N>)
    largest = max(largest, load_partial<N>(x + i, static_cast<std::size_t>(n - i), lowest));
  return max(largest);
}

/// exp(x - offset), 0 in lanes that are past the end.
template <class T, class Scalar>
struct ShiftedExp {
  const T* x;
  Scalar offset;
  template <class N>
  HALFSTEP_INLINE void operator()(Index i, std::size_t count, N& value) const {
    value = exp(load_partial<N>(x + i, count, -std::numeric_limits<float>::infinity()) - N(offset));
  }
};

/// y_j = exp(x_j) / sum exp(x), or its logarithm.
template <class In, class Out>
struct SoftmaxKernel {
  static constexpr bool compute_bound = true;
  using Scalar = CommonCompute<In, Out>;
  Index n;
  bool logarithm;
  const In* x;
  Out* y;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index row = first; row < last; ++row) one<N>(x + row * n, y + row * n);
  }

 private:
  template <class N>
  HALFSTEP_INLINE void one(const In* from, Out* to) const {
    const auto largest = static_cast<Scalar>(largest_of_row<N>(n, from));
    const ShiftedExp<In, Scalar> shifted{from, largest};
    const auto total = static_cast<Scalar>(sum_of_row<N>(n, shifted));
    const N factor(Scalar(1) / total);
    const N log_total(std::log(total));
    for (Index i = 0; i < n; i += lanes<N>) {
      const auto count = static_cast<std::size_t>(n - i);
      const N value = load_partial<N>(from + i, count) - N(largest);
      store_partial(logarithm ? value - log_total : exp(value) * factor, to + i, count);
    }
  }
};

template <class T>
struct SoftmaxBackwardKernel {
  static constexpr bool compute_bound = true;
  using Scalar = Compute<T>;
  Index n;
  bool logarithm;
  const T* y;
  const T* upstream;
  T* gradient;
  bool accumulate;

  struct Weighted {
    const T* y;
    const T* upstream;
    bool logarithm;
    template <class N>
    HALFSTEP_INLINE void operator()(Index i, std::size_t count, N& value) const {
      value = load_partial<N>(upstream + i, count);
      if (!logarithm) value = value * load_partial<N>(y + i, count);
    }
  };

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index row = first; row < last; ++row) {
      const Index at = row * n;
      const N total(
          static_cast<Scalar>(sum_of_row<N>(n, Weighted{y + at, upstream + at, logarithm})));
      for (Index i = 0; i < n; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(n - i);
        const N out = load_partial<N>(y + at + i, count);
        const N u = load_partial<N>(upstream + at + i, count);
        N value = logarithm ? u - exp(out) * total : out * (u - total);
        if (accumulate) value = value + load_partial<N>(gradient + at + i, count);
        store_partial(value, gradient + at + i, count);
      }
    }
  }
};

template <class In, class Scalar>
struct CrossEntropyKernel {
  static constexpr bool compute_bound = true;
  Index n;
  CrossEntropy settings;
  const In* logits;
  const std::int32_t* target;
  Scalar* loss;
  Scalar* log_sum;

  /// largest - x, 0 in lanes that are past the end.
  struct Below {
    const In* x;
    Scalar largest;
    template <class N>
    HALFSTEP_INLINE void operator()(Index i, std::size_t count, N& value) const {
      value = N(largest) - load_partial<N>(x + i, count, static_cast<float>(largest));
    }
  };

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index row = first; row < last; ++row) {
      const In* const x = logits + row * n;
      const auto largest = static_cast<Scalar>(largest_of_row<N>(n, x));
      const auto total = static_cast<Scalar>(sum_of_row<N>(n, ShiftedExp<In, Scalar>{x, largest}));
      const Scalar log_total = std::log(total);
      log_sum[row] = largest + log_total;
      loss[row] = 0;
      if (target[row] == settings.ignored_target) continue;
      const auto smoothing = static_cast<Scalar>(settings.label_smoothing);
      Scalar value = log_total + (largest - storage_cast<Scalar>(x[target[row]]));
      if (smoothing != 0) {
        const auto below = static_cast<Scalar>(sum_of_row<N>(n, Below{x, largest}));
        value = (1 - smoothing) * value + smoothing * (log_total + below / static_cast<Scalar>(n));
      }
      loss[row] = value;
    }
  }
};

template <class In, class Scalar, class Out>
struct CrossEntropyBackwardKernel {
  static constexpr bool compute_bound = true;
  Index n;
  CrossEntropy settings;
  const In* logits;
  const std::int32_t* target;
  const Scalar* log_sum;
  Scalar factor;
  Out* gradient;
  bool accumulate;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const auto smoothing = static_cast<Scalar>(settings.label_smoothing);
    const N cold(smoothing / static_cast<Scalar>(n));
    const N hot(1 - smoothing + smoothing / static_cast<Scalar>(n));
    for (Index row = first; row < last; ++row) {
      const bool ignored = target[row] == settings.ignored_target;
      const Bits<N> wanted(static_cast<std::uint32_t>(target[row]));
      for (Index i = 0; i < n; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(n - i);
        const Bits<N> column = lane_index<N>() + Bits<N>(static_cast<std::uint32_t>(i));
        const N probability = exp(load_partial<N>(logits + row * n + i, count) - N(log_sum[row]));
        N value = (probability - select(column == wanted, hot, cold)) * N(factor);
        if (ignored) value = N(0.0f);
        Out* const to = gradient + row * n + i;
        if (accumulate) value = value + load_partial<N>(to, count);
        store_partial(value, to, count);
      }
    }
  }
};

template <class Scalar, class Kernel>
void for_each_row(Index rows, Index n, const Kernel& kernel) {
  parallel_for(rows, row_grain(n),
               [&](Index first, Index last) { run_as<Scalar>(kernel, first, last); });
}

/// See ops/backend.hpp for the functions below.
template <class In, class Out>
void softmax(Index rows, Index n, bool logarithm, const In* x, Out* y) {
  for_each_row<CommonCompute<In, Out>>(rows, n, SoftmaxKernel<In, Out>{n, logarithm, x, y});
}
template <class T>
void softmax_backward(Index rows, Index n, bool logarithm, const T* y, const T* upstream,
                      T* gradient, bool accumulate) {
  for_each_row<Compute<T>>(
      rows, n, SoftmaxBackwardKernel<T>{n, logarithm, y, upstream, gradient, accumulate});
}
template <class In, class Scalar>
void cross_entropy(Index rows, Index n, const CrossEntropy& settings, const In* logits,
                   const std::int32_t* target, Scalar* loss, Scalar* log_sum) {
  check_targets(rows, n, settings, target);
  for_each_row<Scalar>(rows, n,
                       CrossEntropyKernel<In, Scalar>{n, settings, logits, target, loss, log_sum});
}
template <class In, class Scalar, class Out>
void cross_entropy_backward(Index rows, Index n, const CrossEntropy& settings, const In* logits,
                            const std::int32_t* target, const Scalar* log_sum, const Scalar* factor,
                            Out* gradient, bool accumulate) {
  check_targets(rows, n, settings, target);
  for_each_row<Scalar>(rows, n,
                       CrossEntropyBackwardKernel<In, Scalar, Out>{
                           n, settings, logits, target, log_sum, *factor, gradient, accumulate});
}

}  // namespace halfstep
