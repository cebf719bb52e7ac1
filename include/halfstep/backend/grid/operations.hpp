#pragma once

#include <halfstep/backend/grid/attention.hpp>
#include <halfstep/backend/grid/attention_products.hpp>
#include <halfstep/backend/grid/attention_products_backward.hpp>
#include <halfstep/backend/grid/channels.hpp>
#include <halfstep/backend/grid/checks.hpp>
#include <halfstep/backend/grid/convolution.hpp>
#include <halfstep/backend/grid/copies.hpp>
#include <halfstep/backend/grid/elements.hpp>
#include <halfstep/backend/grid/reduce.hpp>
#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/backend/grid/sequences.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// Every operation of a backend but the matrix product, as kernels; ops/backend.hpp says what they
/// are. A backend derives from it and adds `gemm`, `has_gemm` and its name.
///
/// @tparam Queue  what runs kernels in order: its Device, `launch(GridSize, kernel)`, `upload`,
///                `download`, `copy`, `clear`, `synchronize`, `has_tensor_cores<T>()`, whether
///                kernels may multiply WarpTiles of T, and `index_error()`, the device's record of
///                wrong indices
/// @tparam Products  has `gemm<Compute>(problem, a, b, c, bias)` on the same queue
template <class Queue, class Products>
struct Operations {
  using DeviceType = typename Queue::Device;
  template <class T>
  using Array = Tensor<T, DeviceType>;

  template <class T>
  static constexpr bool has_storage = Storage<T>;

  template <class F, class... Arguments>
  static void for_each_element(Index n, const F& f, Arguments... arrays) {
    static_assert(std::is_trivially_copyable_v<F>,
                  "halfstep: a functor goes to the device byte by byte; give it plain members");
    if (n == 0) return;
    // Eight 16-bit numbers are 16 bytes, and eight floats two loads of 16.
    constexpr int width =
        (std::is_same_v<typename ElementArgument<Arguments>::Storage, double> || ...) ? 2 : 8;
    if ((is_aligned<width>(arrays) && ...))
      launch_elements<width>(n, f, arrays...);
    else
      launch_elements<1>(n, f, arrays...);
  }

  template <Reduction R, class F, class Out, class... Ins>
  static void reduce(const ReduceProblem& p, const F& map, Out* out, const Ins*... ins) {
    using Scalar = CommonCompute<Ins...>;
    if (p.outer * p.inner == 0) return;
    Index pieces = std::max<Index>(1, rounded_up(p.reduced, reduce_piece));
    Array<Scalar> partial(Shape{p.outer * pieces * p.inner});
    const ReduceKernel<R, F, Ins...> first{map,    p.outer,        p.reduced,      p.inner,
                                           pieces, partial.data(), members(ins...)};
    Queue::launch(first.grid(), first);
    while (pieces > 1) {
      const Index reduced = pieces;
      pieces = rounded_up(reduced, reduce_piece);
      Array<Scalar> shorter(Shape{p.outer * pieces * p.inner});
      const ReduceKernel<R, SameNumber, Scalar> next{{},
                                                     p.outer,
                                                     reduced,
                                                     p.inner,
                                                     pieces,
                                                     shorter.data(),
                                                     members(std::as_const(partial).data())};
      Queue::launch(next.grid(), next);
      partial = std::move(shorter);
    }
    const Index n = p.outer * p.inner;
    Queue::launch(
        grid_of_elements(n),
        FinishReduction<Scalar, Out>{p.scale, p.accumulate, n, std::as_const(partial).data(), out});
  }

  template <class In, class Out>
  static void softmax(Index rows, Index n, bool logarithm, const In* x, Out* y) {
    by_rows(rows, n, SoftmaxKernel<In, Out>{n, logarithm, x, y});
  }
  template <class T>
  static void softmax_backward(Index rows, Index n, bool logarithm, const T* y, const T* upstream,
                               T* gradient, bool accumulate) {
    by_rows(rows, n, SoftmaxBackwardKernel<T>{n, logarithm, y, upstream, gradient, accumulate});
  }
  template <class In, class Scalar>
  static void cross_entropy(Index rows, Index n, const CrossEntropy& settings, const In* logits,
                            const std::int32_t* target, Scalar* loss, Scalar* log_sum) {
    by_rows(rows, n,
            CrossEntropyKernel<In, Scalar>{n, settings, logits, target, loss, log_sum,
                                           Queue::index_error()});
  }
  template <class In, class Scalar, class Out>
  static void cross_entropy_backward(Index rows, Index n, const CrossEntropy& settings,
                                     const In* logits, const std::int32_t* target,
                                     const Scalar* log_sum, const Scalar* factor, Out* gradient,
                                     bool accumulate) {
    by_rows(rows, n,
            CrossEntropyBackwardKernel<In, Scalar, Out>{n, settings, logits, target, log_sum,
                                                        factor, gradient, accumulate});
  }

  /// Attention of 16-bit numbers rounds weights, and their gradients, for the products alone.
  static constexpr bool rounds_attention_weights = true;
  template <class T, class Scalar>
  static void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                        Scalar* log_sum) {
    const Index rows = p.batch * p.heads * p.queries;
    if (rows == 0) return;
    const AttentionInputs<T, Scalar> in{p, q, k, v, nullptr, log_sum, nullptr};
    if constexpr (numeric_traits<T>::is_16_bit) {
      if (attends_by_products<T>(p)) return attend_by_products(in, y, log_sum);
    }
    Queue::launch(grid_of_warps(rows), AttentionLogSumKernel<T, Scalar>{in, log_sum});
    attend<AttentionOutput::y>(in, y, false);
  }
  template <class T, class Scalar>
  static void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v,
                                 const T* y, const Scalar* log_sum, const T* upstream,
                                 const AttentionGradients<T>& to) {
    const Index rows = p.batch * p.heads * p.queries;
    if (rows == 0) return;
    Array<Scalar> shared(Shape{rows});
    Queue::launch(grid_of_warps(rows),
                  AttentionSharedKernel<T, Scalar>{p, y, upstream, shared.data()});
    const AttentionInputs<T, Scalar> in{
        p, q, k, v, upstream, log_sum, std::as_const(shared).data()};
    if constexpr (numeric_traits<T>::is_16_bit) {
      if (attends_by_products<T>(p)) return attend_backward_by_products(in, to);
    }
    if (to.q != nullptr) attend<AttentionOutput::q>(in, to.q, to.add_q);
    if (to.k != nullptr) attend<AttentionOutput::k>(in, to.k, to.add_k);
    if (to.v != nullptr) attend<AttentionOutput::v>(in, to.v, to.add_v);
  }

  template <class T, class Scalar>
  static void normalize(const Normalization& p, const T* x, const Scalar* weight,
                        const Scalar* bias, T* y, Scalar* mean, Scalar* scale) {
    by_rows(p.layout.outer * p.groups, p.per_group(),
            NormalizeKernel<T, Scalar>{p, x, weight, bias, y, mean, scale});
  }
  template <class T, class Scalar>
  static void normalize_backward(const Normalization& p, const T* x, const T* upstream,
                                 const Scalar* mean, const Scalar* scale, const Scalar* weight,
                                 const NormalizationGradients<T, Scalar>& to) {
    // The parameters' gradients first: x's may take the place of upstream.
    if (to.weight != nullptr || to.bias != nullptr)
      sum_channels(p.layout, SumsOfGradients<T, Scalar>{x, upstream, mean, scale, p.per_group()},
                   StoreSums<Scalar>{to.bias, to.weight, to.add_to_bias, to.add_to_weight});
    if (to.x != nullptr)
      by_rows(p.layout.outer * p.groups, p.per_group(),
              NormalizeBackwardKernel<T, Scalar>{p, x, upstream, mean, scale, weight, to.x,
                                                 to.add_to_x});
  }
  template <class T, class Scalar>
  static void channel_moments(const ChannelLayout& layout, const T* x, Scalar* mean,
                              Scalar* variance) {
    const double share = 1.0 / static_cast<double>(layout.per_channel());
    sum_channels(layout, SumOfValues<T, Scalar>{x}, StoreMean<Scalar>{share, mean});
    sum_channels(layout, SumOfSquares<T, Scalar>{x, mean}, StoreMean<Scalar>{share, variance});
  }
  template <class T, class Scalar>
  static void channel_affine(const ChannelLayout& layout, const T* x, const Scalar* mean,
                             const Scalar* scale, const Scalar* weight, const Scalar* bias, T* y) {
    by_elements(layout.channels * layout.per_channel(),
                ChannelAffineKernel<T, Scalar>{layout, x, mean, scale, weight, bias, y});
  }
  template <class T, class Scalar>
  static void channel_sums(const ChannelLayout& layout, const T* x, const T* upstream,
                           const Scalar* mean, const Scalar* scale, Scalar* sum, Scalar* product) {
    sum_channels(layout, SumsOfGradients<T, Scalar>{x, upstream, mean, scale, 0},
                 StoreSums<Scalar>{sum, product, false, false});
  }
  template <class T, class Scalar>
  static void channel_gradient(const ChannelLayout& layout, const T* x, const T* upstream,
                               const Scalar* mean, const Scalar* scale, const Scalar* weight,
                               const Scalar* sum, const Scalar* product, double share, T* gradient,
                               bool accumulate) {
    by_elements(
        layout.channels * layout.per_channel(),
        ChannelGradientKernel<T, Scalar>{layout, x, upstream, mean, scale, weight, sum, product,
                                         static_cast<Scalar>(share), gradient, accumulate});
  }

  template <class Cell, class T, class Scalar>
  static void recurrent_step(const RecurrentStep& step, const Scalar* input_sums,
                             const Scalar* hidden_sums, T* saved, Scalar* state, T* y) {
    using Loop = RecurrentStepLoop<Cell, T, Scalar>;
    by_elements(step.batch * step.hidden, RecurrentKernel<Scalar, Loop>{Loop{
                                              step, input_sums, hidden_sums, saved, state, y}});
  }
  template <class Cell, class T, class Scalar>
  static void recurrent_step_backward(const RecurrentStep& step, const T* saved, const T* upstream,
                                      const Scalar* from_products, Scalar* to_state,
                                      T* to_input_sums, T* to_hidden_sums) {
    using Loop = RecurrentStepBackwardLoop<Cell, T, Scalar>;
    by_elements(step.batch * step.hidden,
                RecurrentKernel<Scalar, Loop>{Loop{step, saved, upstream, from_products, to_state,
                                                   to_input_sums, to_hidden_sums}});
  }
  template <class Scalar>
  static void ctc_loss(const CtcProblem& p, const Scalar* log_probabilities, Scalar* alpha,
                       Scalar* loss) {
    by_rows(p.batch, p.positions(),
            CtcKernel<Scalar>{p, log_probabilities, alpha, loss, Queue::index_error()});
  }
  template <class Scalar>
  static void ctc_loss_backward(const CtcProblem& p, const Scalar* log_probabilities,
                                const Scalar* alpha, const Scalar* factor, Scalar* gradient) {
    Array<Scalar> beta(Shape{p.batch, 3, p.positions()});
    by_rows(p.batch, p.positions(),
            CtcBackwardKernel<Scalar>{p, log_probabilities, alpha, factor, beta.data(), gradient});
  }

  template <class From, class To>
  static void strided_copy(const StridedCopy& copy, const From* from, To* to) {
    by_elements(copy.extents.size(), StridedCopyKernel<From, To>(copy, from, to));
  }
  template <class T>
  static void gather_rows(Index n, Index width, Index rows, const T* table,
                          const std::int32_t* index, T* out) {
    by_rows(n, width, GatherKernel<T>{width, rows, table, index, out, Queue::index_error()});
  }
  template <class T>
  static void scatter_add_rows(Index n, Index width, Index rows, const T* values,
                               const std::int32_t* index, T* table) {
    by_rows(rows, width,
            ScatterAddKernel<T>{n, width, rows, values, index, table, Queue::index_error()});
  }

  template <class Compute, class S>
  static void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias,
                       S* y, bool accumulate) {
    WindowProducts<Queue, Products, Compute, S>(p).convolve(x, weight, bias, y, accumulate);
  }
  template <class Compute, class S>
  static void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight,
                                  const S* bias, S* x, bool accumulate) {
    WindowProducts<Queue, Products, Compute, S>(p).convolve_transposed(y, weight, bias, x,
                                                                       accumulate);
  }
  template <class Compute, class S>
  static void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                              bool accumulate) {
    WindowProducts<Queue, Products, Compute, S>(p).convolve_weight(x, y, weight, accumulate);
  }
  template <class S>
  static void pool(const PoolProblem& p, const S* x, S* y) {
    by_elements(p.y_size(), PoolKernel<S>{p, x, y});
  }
  template <class S>
  static void pool_backward(const PoolProblem& p, const S* x, const S* upstream, S* gradient,
                            bool accumulate) {
    by_elements(p.x_size(), PoolBackwardKernel<S>{{p, x, nullptr}, upstream, gradient, accumulate});
  }

  template <class T>
  static void check_finite(Index n, const T* x, FiniteCheck* into) {
    if (n == 0) return;
    constexpr int width = 16 / sizeof(T);
    const bool aligned = is_aligned<width>(In<T>{x});
    const Index blocks = std::min(most_readers, rounded_up(n, 256 * width));
    Array<FiniteCheck> found(Shape{blocks});
    if (aligned)
      Queue::launch({blocks, 256}, FiniteCheckKernel<width, T>{n, x, found.data()});
    else
      Queue::launch({blocks, 256}, FiniteCheckKernel<1, T>{n, x, found.data()});
    Queue::launch({1, 256}, MergeFiniteChecks{blocks, std::as_const(found).data(), into});
  }
  template <class T>
  static void count_exponents(Index n, const T* x, const ExponentScale& scale,
                              ExponentCounts* into) {
    if (n == 0) return;
    const GridSize grid{std::min<Index>(16, rounded_up(n, 64)), 64};
    const Index readers = grid.blocks * grid.threads;
    Array<ExponentCounts> found(Shape{readers});
    by_elements(readers, ClearExponentCounts{readers, found.data()});
    Queue::launch(grid, ExponentCountKernel<T>{n, x, scale, found.data()});
    Queue::launch({1, 256}, MergeExponentCounts{readers, std::as_const(found).data(), into});
  }

  template <class F>
  static void once(const F& f) {
    static_assert(std::is_trivially_copyable_v<F>,
                  "halfstep: a functor goes to the device byte by byte; give it plain members");
    if constexpr (CountsParts<F>)
      Queue::launch({1, 1024}, CountKernel<F>{f});
    else
      Queue::launch({1, warp_size}, OnceKernel<F>{f});
  }
  template <class From, class To>
  static void convert(Index n, const From* from, To* to) {
    for_each_element(n, CopyElements{}, In<From>{from}, Out<To>{to});
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    Queue::upload(from, to);
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    Queue::download(from, to);
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    Queue::copy(n, from, to);
  }
  template <class T>
  static void clear(Index n, T* x) {
    Queue::clear(n, x);
  }
  static void synchronize() { Queue::synchronize(); }

 private:
  static GridSize grid_of_warps(Index rows) { return {rounded_up(rows, 256 / warp_size), 256}; }

  template <int Width, class F, class... Arguments>
  static void launch_elements(Index n, const F& f, Arguments... arrays) {
    // Enough blocks to fill any GPU; threads of larger arrays go on to further elements.
    const Index blocks = std::min<Index>(4096, rounded_up(n, 256 * Width));
    Queue::launch({blocks, 256}, ElementKernel<Width, F, Arguments...>{f, n, members(arrays...)});
  }
  template <class Kernel>
  static void by_rows(Index rows, Index n, const Kernel& kernel) {
    if (rows > 0) Queue::launch(grid_of_rows(rows, n), kernel);
  }
  template <class Kernel>
  static void by_elements(Index n, const Kernel& kernel) {
    if (n > 0) Queue::launch(grid_of_elements(n), kernel);
  }
  template <AttentionOutput Output, class T, class Scalar>
  static void attend(const AttentionInputs<T, Scalar>& in, T* out, bool accumulate) {
    const AttentionTileKernel<Output, T, Scalar> kernel{in, out, accumulate};
    if (kernel.grid().blocks > 0) Queue::launch(kernel.grid(), kernel);
  }
  template <class T>
  static bool attends_by_products(const AttentionProblem& p) {
    return p.width <= 128 && p.scale > 0.0 && Queue::template has_tensor_cores<T>();
  }
  template <class T>
  static void attend_by_products(const AttentionInputs<T, float>& in, T* y, float* log_sum) {
    const AttentionProblem& p = in.p;
    const bool aligned = has_aligned_rows(in.q, p.q, p.width) &&
                         has_aligned_rows(in.k, p.k, p.width) &&
                         has_aligned_rows(in.v, p.v, p.width) && has_aligned_rows(y, p.y, p.width);
    const auto launch = [&]<int Width>(std::integral_constant<int, Width>) {
      const AttentionForwardKernel<Width, T> kernel{{in, aligned}, y, log_sum};
      Queue::launch(kernel.grid(), kernel);
    };
    in.p.width <= 64 ? launch(std::integral_constant<int, 64>())
                     : launch(std::integral_constant<int, 128>());
  }
  template <class T>
  static void attend_backward_by_products(const AttentionInputs<T, float>& in,
                                          const AttentionGradients<T>& to) {
    const AttentionProblem& p = in.p;
    const bool aligned =
        has_aligned_rows(in.q, p.q, p.width) && has_aligned_rows(in.k, p.k, p.width) &&
        has_aligned_rows(in.v, p.v, p.width) && has_aligned_rows(in.upstream, p.y, p.width) &&
        has_aligned_rows(to.q, p.q, p.width) && has_aligned_rows(to.k, p.k, p.width) &&
        has_aligned_rows(to.v, p.v, p.width);
    const auto launch = [&]<int Width>(std::integral_constant<int, Width>) {
      const AttentionOperands<Width, T> operands{in, aligned};
      const AttentionQueryGradientKernel<Width, T> of_queries{{operands}, to.q, to.add_q};
      const AttentionKeyGradientKernel<Width, T> of_keys{
          {operands}, to.k, to.v, to.add_k, to.add_v};
      if (to.q != nullptr) Queue::launch(of_queries.grid(), of_queries);
      if (to.k != nullptr || to.v != nullptr) Queue::launch(of_keys.grid(), of_keys);
    };
    in.p.width <= 64 ? launch(std::integral_constant<int, 64>())
                     : launch(std::integral_constant<int, 128>());
  }
  /// Hands each channel's sums of `terms` to `finish`.
  template <class Terms, class Finish>
  static void sum_channels(const ChannelLayout& layout, const Terms& terms, const Finish& finish) {
    using Scalar = decltype(terms(Index{}, Index{}).first);
    const Index piece = channel_piece(layout);
    const Index pieces = std::max<Index>(1, rounded_up(layout.per_channel(), piece));
    Array<Scalar> partial(Shape{2, pieces, layout.channels});
    const ChannelSumKernel<Scalar, Terms> kernel{layout, piece, pieces, terms, partial.data()};
    Queue::launch(kernel.grid(), kernel);
    by_elements(layout.channels,
                FinishChannels<Scalar, Finish>{layout.channels, pieces,
                                               std::as_const(partial).data(), finish});
  }
};

}  // namespace halfstep
