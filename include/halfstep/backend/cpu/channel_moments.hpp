#pragma once

#include <halfstep/backend/cpu/normalize.hpp>

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// Batch normalization's passes over x [samples, channels, positions]. A channel's values lie in
// runs: one for each sample, or, where x is one position wide, columns beside each other. Each run
// (each block of 64 rows of columns) is summed by itself, and the sums are added in order.

/// Rows of a block of columns.
inline constexpr Index rows_of_columns = 64;

/// The runs of x, and how a pass goes through them.
struct ChannelRuns {
  ChannelLayout layout;

  bool along() const { return layout.inner == 1; }
  /// Sums that a channel is made of.
  Index blocks() const {
    return along() ? (layout.outer + rows_of_columns - 1) / rows_of_columns : layout.outer;
  }
  /// Values of channel sums in block b.
  Index count(Index b) const {
    return along() ? std::min(rows_of_columns, layout.outer - b * rows_of_columns) : layout.inner;
  }
  /// Calls kernel.run(at, channel, to) for each run, or kernel.columns(at, rows, first, to) for
  /// each packet of columns; `to` is its place in sums [blocks, channels].
  template <class N, class Kernel>
  HALFSTEP_INLINE void visit(const Kernel& kernel, Index first, Index last) const {
    for (Index piece = first; piece < last; ++piece) {
      if (!along()) {
        kernel.template run<N>(piece * layout.inner, piece % layout.channels, piece);
        continue;
      }
      const Index at = piece * rows_of_columns * layout.channels;
      for (Index c = 0; c < layout.channels; c += lanes<N>)
        kernel.template columns<N>(at + c, count(piece), c, piece * layout.channels + c);
    }
  }
  /// Runs a kernel over all pieces.
  template <class Scalar, class Kernel>
  void run(const Kernel& kernel) const {
    if (along())
      for_each_row<Scalar>(blocks(), rows_of_columns * layout.channels, kernel);
    else
      for_each_row<Scalar>(layout.outer * layout.channels, layout.inner, kernel);
  }
};

/// The mean and the sum of square distances of each run.
template <class T, class Scalar>
struct ChannelMomentsKernel {
  ChannelRuns runs;
  const T* x;
  Scalar* mean;
  Scalar* squares;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    runs.visit<N>(*this, first, last);
  }
  template <class N>
  HALFSTEP_INLINE void run(Index at, Index, Index to) const {
    moments_of_run<N>(runs.layout.inner, true, x + at, mean[to], squares[to]);
  }
  template <class N>
  HALFSTEP_INLINE void columns(Index at, Index rows, Index first, Index to) const {
    const Index channels = runs.layout.channels;
    const auto count = static_cast<std::size_t>(channels - first);
    N total(0.0f), distances(0.0f);
    for (Index row = 0; row < rows; ++row)
      total = total + load_partial<N>(x + at + row * channels, count);
    const N middle = total / N(static_cast<Scalar>(rows));
    for (Index row = 0; row < rows; ++row) {
      const N distance = load_partial<N>(x + at + row * channels, count) - middle;
      distances = fma(distance, distance, distances);
    }
    store_partial(middle, mean + to, count);
    store_partial(distances, squares + to, count);
  }
};

/// The sums of upstream and of upstream x' of each run.
template <class T, class Scalar>
struct ChannelSumsKernel {
  ChannelRuns runs;
  const T* x;
  const T* upstream;
  const Scalar* mean;
  const Scalar* scale;
  Scalar* sums;
  Scalar* products;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    runs.visit<N>(*this, first, last);
  }
  template <class N>
  HALFSTEP_INLINE void run(Index at, Index channel, Index to) const {
    constexpr Index block = 64 * lanes<N>;
    const Index inner = runs.layout.inner;
    const N middle(mean[channel]);
    N sum_all(0.0f), product_all(0.0f);
    for (Index begin = 0; begin < inner; begin += block) {
      N sum_block(0.0f), product_block(0.0f);
      for (Index i = begin; i < std::min(inner, begin + block); i += lanes<N>) {
        const auto count = static_cast<std::size_t>(inner - i);
        const N u = load_partial<N>(upstream + at + i, count);
        sum_block = sum_block + u;
        product_block = fma(u, load_partial<N>(x + at + i, count) - middle, product_block);
      }
      sum_all = sum_all + sum_block;
      product_all = product_all + product_block;
    }
    sums[to] = static_cast<Scalar>(sum(sum_all));
    products[to] = static_cast<Scalar>(sum(product_all)) * scale[channel];
  }
  template <class N>
  HALFSTEP_INLINE void columns(Index at, Index rows, Index first, Index to) const {
    const Index channels = runs.layout.channels;
    const auto count = static_cast<std::size_t>(channels - first);
    const N middle = load_partial<N>(mean + first, count);
    N total(0.0f), product(0.0f);
    for (Index row = 0; row < rows; ++row) {
      const N u = load_partial<N>(upstream + at + row * channels, count);
      total = total + u;
      product = fma(u, load_partial<N>(x + at + row * channels, count) - middle, product);
    }
    store_partial(total, sums + to, count);
    store_partial(product * load_partial<N>(scale + first, count), products + to, count);
  }
};

/// to = f of elements whose channel has the numbers that f takes: y, or a gradient of x. `Pass` is
/// one of the two below.
template <class Scalar, class Pass>
struct ChannelPassKernel {
  ChannelLayout layout;
  Pass pass;

  /// Runs [first, last): of channels where x is one position wide, else of a channel's positions.
  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const bool along = layout.inner == 1;
    const Index length = along ? layout.channels : layout.inner;
    for (Index run = first; run < last; ++run)
      for (Index i = 0; i < length; i += lanes<N>)
        pass.template visit<N>(along, along ? 0 : run % layout.channels, run * length + i, i,
                               static_cast<std::size_t>(length - i));
  }
};

template <class Pass>
void run_channel_pass(const ChannelLayout& layout, const Pass& pass) {
  using Scalar = typename Pass::Scalar;
  const bool along = layout.inner == 1;
  for_each_row<Scalar>(along ? layout.outer : layout.outer * layout.channels,
                       along ? layout.channels : layout.inner,
                       ChannelPassKernel<Scalar, Pass>{layout, pass});
}

/// y = (x - mean) scale weight + bias.
template <class T, class Scalar_>
struct ChannelAffinePass {
  using Scalar = Scalar_;
  const T* x;
  const Scalar* mean;
  const Scalar* scale;
  const Scalar* weight;
  const Scalar* bias;
  T* y;

  template <class N>
  HALFSTEP_INLINE void visit(bool along, Index channel, Index at, Index i,
                             std::size_t count) const {
    N m, s, w, b;
    PerChannel<Scalar>{mean, 0.0f, along}.get(channel, i, count, m);
    PerChannel<Scalar>{scale, 1.0f, along}.get(channel, i, count, s);
    PerChannel<Scalar>{weight, 1.0f, along}.get(channel, i, count, w);
    PerChannel<Scalar>{bias, 0.0f, along}.get(channel, i, count, b);
    store_partial(fma((load_partial<N>(x + at, count) - m) * s, w, b), y + at, count);
  }
};

/// gradient = weight scale (upstream - share (sum + x' product)).
template <class T, class Scalar_>
struct ChannelGradientPass {
  using Scalar = Scalar_;
  const T* x;
  const T* upstream;
  const Scalar* mean;
  const Scalar* scale;
  const Scalar* weight;
  const Scalar* sums;
  const Scalar* products;
  Scalar share;
  T* gradient;
  bool accumulate;

  template <class N>
  HALFSTEP_INLINE void visit(bool along, Index channel, Index at, Index i,
                             std::size_t count) const {
    N m, s, w, total, product;
    PerChannel<Scalar>{mean, 0.0f, along}.get(channel, i, count, m);
    PerChannel<Scalar>{scale, 1.0f, along}.get(channel, i, count, s);
    PerChannel<Scalar>{weight, 1.0f, along}.get(channel, i, count, w);
    PerChannel<Scalar>{sums, 0.0f, along}.get(channel, i, count, total);
    PerChannel<Scalar>{products, 0.0f, along}.get(channel, i, count, product);
    const N distance = (load_partial<N>(x + at, count) - m) * s;
    const N u = load_partial<N>(upstream + at, count);
    N value = w * s * (u - N(share) * (total + distance * product));
    if (accumulate) value = value + load_partial<N>(gradient + at, count);
    store_partial(value, gradient + at, count);
  }
};

/// See ops/backend.hpp for the functions below.
template <class T, class Scalar>
void channel_moments(const ChannelLayout& layout, const T* x, Scalar* mean, Scalar* variance) {
  const ChannelRuns runs{layout};
  const Index blocks = runs.blocks();
  Tensor<Scalar> partial(Shape{2, blocks * layout.channels});
  Scalar* const means = partial.data();
  Scalar* const squares = means + blocks * layout.channels;
  runs.run<Scalar>(ChannelMomentsKernel<T, Scalar>{runs, x, means, squares});
  // Chan, Golub and LeVeque's rule for the moments of two sets together, in order.
  parallel_for(
      layout.channels, std::max<Index>(1, element_grain / blocks), [&](Index first, Index last) {
        for (Index c = first; c < last; ++c) {
          double n = 0.0, middle = 0.0, distances = 0.0;
          for (Index b = 0; b < blocks; ++b) {
            const auto count = static_cast<double>(runs.count(b));
            const double step = static_cast<double>(means[b * layout.channels + c]) - middle;
            const double share = count / (n + count);
            middle += step * share;
            distances +=
                static_cast<double>(squares[b * layout.channels + c]) + step * step * n * share;
            n += count;
          }
          mean[c] = static_cast<Scalar>(middle);
          variance[c] = static_cast<Scalar>(distances / n);
        }
      });
}

template <class T, class Scalar>
void channel_affine(const ChannelLayout& layout, const T* x, const Scalar* mean,
                    const Scalar* scale, const Scalar* weight, const Scalar* bias, T* y) {
  run_channel_pass(layout, ChannelAffinePass<T, Scalar>{x, mean, scale, weight, bias, y});
}

template <class T, class Scalar>
void channel_sums(const ChannelLayout& layout, const T* x, const T* upstream, const Scalar* mean,
                  const Scalar* scale, Scalar* sum, Scalar* product) {
  const ChannelRuns runs{layout};
  const Index blocks = runs.blocks();
  Tensor<Scalar> partial(Shape{2, blocks * layout.channels});
  Scalar* const sums = partial.data();
  Scalar* const products = sums + blocks * layout.channels;
  runs.run<Scalar>(ChannelSumsKernel<T, Scalar>{runs, x, upstream, mean, scale, sums, products});
  const ReduceProblem rows{.reduced = blocks, .inner = layout.channels};
  reduce<Reduction::sum>(rows, formulas::Identity{}, sum, std::as_const(partial).data());
  reduce<Reduction::sum>(rows, formulas::Identity{}, product,
                         std::as_const(partial).data() + blocks * layout.channels);
}

template <class T, class Scalar>
void channel_gradient(const ChannelLayout& layout, const T* x, const T* upstream,
                      const Scalar* mean, const Scalar* scale, const Scalar* weight,
                      const Scalar* sum, const Scalar* product, double share, T* gradient,
                      bool accumulate) {
  run_channel_pass(
      layout, ChannelGradientPass<T, Scalar>{x, upstream, mean, scale, weight, sum, product,
                                             static_cast<Scalar>(share), gradient, accumulate});
}

}  // namespace halfstep
