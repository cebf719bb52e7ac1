#pragma once

#include <halfstep/backend/grid/block.hpp>
#include <halfstep/backend/grid/index_error.hpp>
#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/cross_entropy.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// Kernels that give each row of n elements a block.

/// The scalar that a row of T is computed in.
template <class T>
using RowScalar = typename numeric_traits<T>::compute;

/// log sum exp(x), over a row.
HALFSTEP_CALLS_EITHER
template <class Block, class T>
HALFSTEP_HOST_DEVICE RowScalar<T> row_log_sum(Block& block, Index n, const T* x) {
  using Scalar = RowScalar<T>;
  typename Block::template PerThread<Scalar> of_thread;
  block.own([&](int thread) {
    Scalar largest = -std::numeric_limits<Scalar>::infinity();
    for (Index j = thread; j < n; j += block.threads())
      largest = Largest()(largest, storage_cast<Scalar>(x[j]));
    of_thread[thread] = largest;
  });
  const Scalar largest = combine_block<Scalar, 0>(block, of_thread, Largest());
  block.own([&](int thread) {
    Scalar sum = 0;
    for (Index j = thread; j < n; j += block.threads())
      sum += std::exp(storage_cast<Scalar>(x[j]) - largest);
    of_thread[thread] = sum;
  });
  return largest + std::log(combine_block<Scalar, 0>(block, of_thread, Sum()));
}

/// y = exp(x - log sum exp(x)), or its logarithm.
template <class In, class Out>
struct SoftmaxKernel {
  Index n;
  bool logarithm;
  const In* x;
  Out* y;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    using Scalar = RowScalar<In>;
    const In* const from = x + block.index() * n;
    Out* const to = y + block.index() * n;
    const Scalar log_sum = row_log_sum(block, n, from);
    block.own([&](int thread) {
      for (Index j = thread; j < n; j += block.threads()) {
        const Scalar value = storage_cast<Scalar>(from[j]) - log_sum;
        to[j] = storage_cast<Out>(logarithm ? value : std::exp(value));
      }
    });
  }
};

/// gradient = y (u - sum u y), or u - exp(y) sum u for the logarithm.
template <class T>
struct SoftmaxBackwardKernel {
  Index n;
  bool logarithm;
  const T* y;
  const T* upstream;
  T* gradient;
  bool accumulate;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    using Scalar = RowScalar<T>;
    const Index first = block.index() * n;
    typename Block::template PerThread<Scalar> of_thread;
    block.own([&](int thread) {
      Scalar sum = 0;
      for (Index j = thread; j < n; j += block.threads())
        sum += storage_cast<Scalar>(upstream[first + j]) *
               (logarithm ? Scalar(1) : storage_cast<Scalar>(y[first + j]));
      of_thread[thread] = sum;
    });
    const Scalar sum = combine_block<Scalar, 0>(block, of_thread, Sum());
    block.own([&](int thread) {
      for (Index j = thread; j < n; j += block.threads()) {
        const Scalar u = storage_cast<Scalar>(upstream[first + j]);
        const Scalar out = storage_cast<Scalar>(y[first + j]);
        Scalar value = logarithm ? u - std::exp(out) * sum : out * (u - sum);
        if (accumulate) value += storage_cast<Scalar>(gradient[first + j]);
        gradient[first + j] = storage_cast<T>(value);
      }
    });
  }
};

/// Loss and log-sum-exp of a row: see ops/cross_entropy.hpp. A target that names no class costs
/// NaN, and is reported where the host next waits.
template <class In, class Scalar>
struct CrossEntropyKernel {
  Index n;
  CrossEntropy settings;
  const In* logits;
  const std::int32_t* target;
  Scalar* loss;
  Scalar* log_sum;
  IndexError* error;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index row = block.index();
    const In* const x = logits + row * n;
    const Scalar total = row_log_sum(block, n, x);
    typename Block::template PerThread<Scalar> of_thread;
    block.own([&](int thread) {
      Scalar sum = 0;
      for (Index j = thread; settings.label_smoothing != 0.0 && j < n; j += block.threads())
        sum += total - storage_cast<Scalar>(x[j]);
      of_thread[thread] = sum;
    });
    const Scalar sum = combine_block<Scalar, 0>(block, of_thread, Sum());
    block.own([&](int thread) {
      if (thread != 0) return;
      log_sum[row] = total;
      const std::int32_t label = target[row];
      const auto smoothing = static_cast<Scalar>(settings.label_smoothing);
      if (label == settings.ignored_target) {
        loss[row] = 0;
      } else if (error->refuses(IndexError::cross_entropy, label, row, n)) {
        loss[row] = std::numeric_limits<Scalar>::quiet_NaN();
      } else {
        loss[row] = (Scalar(1) - smoothing) * (total - storage_cast<Scalar>(x[label])) +
                    smoothing / static_cast<Scalar>(n) * sum;
      }
    });
  }
};

/// gradient = (softmax - smoothed one-hot) * factor[0], 0 on ignored rows; elementwise.
template <class In, class Scalar, class Out>
struct CrossEntropyBackwardKernel {
  Index n;
  CrossEntropy settings;
  const In* logits;
  const std::int32_t* target;
  const Scalar* log_sum;
  const Scalar* factor;
  Out* gradient;
  bool accumulate;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index row = block.index();
    block.own([&](int thread) {
      const auto smoothing = static_cast<Scalar>(settings.label_smoothing);
      const Scalar others = smoothing / static_cast<Scalar>(n);
      const std::int32_t label = target[row];
      for (Index j = thread; j < n; j += block.threads()) {
        const Index at = row * n + j;
        const Scalar hot = (j == label ? Scalar(1) - smoothing : Scalar(0)) + others;
        const Scalar probability = std::exp(storage_cast<Scalar>(logits[at]) - log_sum[row]);
        // Both loads of an element come before its store: the gradient may lie in the logits.
        Scalar value =
            label == settings.ignored_target ? Scalar(0) : (probability - hot) * factor[0];
        if (accumulate) value += storage_cast<Scalar>(gradient[at]);
        gradient[at] = storage_cast<Out>(value);
      }
    });
  }
};

}  // namespace halfstep
