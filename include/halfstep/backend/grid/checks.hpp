#pragma once

#include <halfstep/backend/grid/elements.hpp>
#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/ops/exponent_counts.hpp>
#include <halfstep/ops/finite_check.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// The most blocks of a read that leaves a result each.
inline constexpr Index most_readers = 1024;

/// found[block] = the sum of squares and the flag of the block's share: one read, `Width` numbers
/// at a time.
template <int Width, class T>
struct FiniteCheckKernel {
  Index n;
  const T* x;
  FiniteCheck* found;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    typename Block::template PerThread<double> squares;
    typename Block::template PerThread<int> bad;
    block.own([&](int thread) {
      double sum = 0.0;
      int flag = 0;
      const auto take = [&](const T& stored) {
        const auto value = storage_cast<RowScalar<T>>(stored);
        sum += static_cast<double>(value) * static_cast<double>(value);
        if (!is_finite(value)) flag = 1;
      };
      const Index stride = block.blocks() * block.threads() * Width;
      for (Index i = (block.index() * block.threads() + thread) * Width; i < n; i += stride) {
        if (i + Width <= n) {
          const auto pack = *reinterpret_cast<const Pack<T, Width>*>(x + i);
          for (const T& value : pack.values) take(value);
        } else {
          for (Index j = i; j < n; ++j) take(x[j]);
        }
      }
      squares[thread] = sum;
      bad[thread] = flag;
    });
    const double sum = combine_block<double, 0>(block, squares, Sum());
    const int flag = combine_block<int, 1>(block, bad, Largest());
    block.own([&](int thread) {
      if (thread == 0) found[block.index()] = {sum, flag};
    });
  }
};

/// into += found[0] + found[1] + ...
struct MergeFiniteChecks {
  Index count;
  const FiniteCheck* found;
  FiniteCheck* into;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    typename Block::template PerThread<double> squares;
    typename Block::template PerThread<int> bad;
    block.own([&](int thread) {
      double sum = 0.0;
      int flag = 0;
      for (Index i = thread; i < count; i += block.threads()) {
        sum += found[i].sum_of_squares;
        flag |= found[i].found_inf;
      }
      squares[thread] = sum;
      bad[thread] = flag;
    });
    const double sum = combine_block<double, 0>(block, squares, Sum());
    const int flag = combine_block<int, 1>(block, bad, Largest());
    block.own([&](int thread) {
      if (thread != 0) return;
      into->sum_of_squares += sum;
      if (flag != 0) into->found_inf = 1;
    });
  }
};

/// found[block] = the exponents of the block's share. A thread counts in a table of its own, so
/// that no two add to one number; it is for sampled steps, and not in a hurry.
template <class T>
struct ExponentCountKernel {
  Index n;
  const T* x;
  ExponentScale scale;
  ExponentCounts* found;  ///< one a thread, empty

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index reader = block.index() * block.threads() + thread;
      for (Index i = reader; i < n; i += block.blocks() * block.threads())
        found[reader].add(storage_cast<double>(x[i]), scale);
    });
  }
};

/// into += found[0] + found[1] + ...: threads take an exponent each.
struct MergeExponentCounts {
  Index count;
  const ExponentCounts* found;
  ExponentCounts* into;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      constexpr Index exponents = ExponentCounts::highest - ExponentCounts::lowest + 1;
      for (Index e = thread; e < exponents; e += block.threads())
        for (Index i = 0; i < count; ++i)
          into->at(static_cast<int>(e) + ExponentCounts::lowest) +=
              found[i].at(static_cast<int>(e) + ExponentCounts::lowest);
      if (thread != 0) return;
      for (Index i = 0; i < count; ++i) {
        into->zeros += found[i].zeros;
        into->infinities += found[i].infinities;
        into->nans += found[i].nans;
        into->tiny += found[i].tiny;
        into->widen(found[i].smallest, found[i].largest);
      }
    });
  }
};

/// Sets tables to empty ones.
struct ClearExponentCounts {
  Index count;
  ExponentCounts* found;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      if (at < count) found[at] = ExponentCounts();
    });
  }
};

}  // namespace halfstep
