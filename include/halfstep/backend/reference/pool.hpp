#pragma once

#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/convolution.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::reference {

/// Calls f(y, xs) with every output's position and the positions of its window's elements, row by
/// row, without those in the padding.
template <class F>
void for_each_window(const PoolProblem& p, const F& f) {
  std::vector<Index> window;
  for (Index n = 0; n < p.batch; ++n)
    for (Index i = 0; i < p.output.height; ++i)
      for (Index j = 0; j < p.output.width; ++j)
        for (Index c = 0; c < p.channels; ++c) {
          window.clear();
          for (Index u = 0; u < p.kernel.height; ++u)
            for (Index v = 0; v < p.kernel.width; ++v) {
              const Index row = window_begin(i, p.stride.height, p.padding.height) + u;
              const Index column = window_begin(j, p.stride.width, p.padding.width) + v;
              if (row >= 0 && row < p.input.height && column >= 0 && column < p.input.width)
                window.push_back(
                    ((n * p.input.height + row) * p.input.width + column) * p.channels + c);
            }
          f(((n * p.output.height + i) * p.output.width + j) * p.channels + c, window);
        }
}

/// The position of a window's largest element: the first of equal ones, the last NaN.
template <class S>
Index largest_of(const std::vector<Index>& window, const S* x) {
  Index largest = window.front();
  for (const Index at : window) {
    const double value = storage_cast<double>(x[at]);
    if (value > storage_cast<double>(x[largest]) || std::isnan(value)) largest = at;
  }
  return largest;
}

template <class S>
void pool(const PoolProblem& p, const S* x, S* y) {
  for_each_window(p, [&](Index to, const std::vector<Index>& window) {
    if (p.kind == PoolProblem::Kind::maximum) {
      y[to] = x[largest_of(window, x)];
    } else {
      double sum = 0.0;
      for (const Index at : window) sum += storage_cast<double>(x[at]);
      y[to] = storage_cast<S>(sum / static_cast<double>(p.kernel.size()));
    }
  });
}

template <class S>
void pool_backward(const PoolProblem& p, const S* x, const S* upstream, S* gradient,
                   bool accumulate) {
  std::vector<double> sums(static_cast<std::size_t>(p.x_size()));
  for_each_window(p, [&](Index from, const std::vector<Index>& window) {
    const double value = storage_cast<double>(upstream[from]);
    if (p.kind == PoolProblem::Kind::maximum) {
      sums[static_cast<std::size_t>(largest_of(window, x))] += value;
    } else {
      for (const Index at : window)
        sums[static_cast<std::size_t>(at)] += value / static_cast<double>(p.kernel.size());
    }
  });
  for (std::size_t i = 0; i < sums.size(); ++i)
    gradient[i] =
        storage_cast<S>(accumulate ? storage_cast<double>(gradient[i]) + sums[i] : sums[i]);
}

}  // namespace halfstep
