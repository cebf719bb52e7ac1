#pragma once

#include <halfstep/backend/cpu/attention.hpp>
#include <halfstep/backend/cpu/channel_moments.hpp>
#include <halfstep/backend/cpu/check_finite.hpp>
#include <halfstep/backend/cpu/count_exponents.hpp>
#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/backend/cpu/gather.hpp>
#include <halfstep/backend/cpu/normalize.hpp>
#include <halfstep/backend/cpu/pool.hpp>
#include <halfstep/backend/cpu/reduce.hpp>
#include <halfstep/backend/cpu/rows.hpp>
#include <halfstep/backend/cpu/strided_copy.hpp>
#include <halfstep/ops/backend.hpp>

#include <algorithm>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// All operations but products and convolutions, on packets and threads: what the backends of the
/// CPU share.
///
/// @numerics  16-bit numbers and floats are computed in float, doubles in double; the same bits for
///            every number of threads
struct CpuLoops {
  using DeviceType = device::Cpu;

  template <class T>
  static constexpr bool has_storage = Storage<T>;

  template <class F, class... Arguments>
  static void for_each_element(Index n, const F& f, Arguments... arrays) {
    cpu::for_each_element(n, f, arrays...);
  }

  template <Reduction R, class F, class Out, class... Ins>
  static void reduce(const ReduceProblem& problem, const F& map, Out* out, const Ins*... ins) {
    cpu::reduce<R>(problem, map, out, ins...);
  }

  template <class In, class Out>
  static void softmax(Index rows, Index n, bool logarithm, const In* x, Out* y) {
    cpu::softmax(rows, n, logarithm, x, y);
  }
  template <class T>
  static void softmax_backward(Index rows, Index n, bool logarithm, const T* y, const T* upstream,
                               T* gradient, bool accumulate) {
    cpu::softmax_backward(rows, n, logarithm, y, upstream, gradient, accumulate);
  }
  template <class In, class Scalar>
  static void cross_entropy(Index rows, Index n, const CrossEntropy& settings, const In* logits,
                            const std::int32_t* target, Scalar* loss, Scalar* log_sum) {
    cpu::cross_entropy(rows, n, settings, logits, target, loss, log_sum);
  }
  template <class In, class Scalar, class Out>
  static void cross_entropy_backward(Index rows, Index n, const CrossEntropy& settings,
                                     const In* logits, const std::int32_t* target,
                                     const Scalar* log_sum, const Scalar* factor, Out* gradient,
                                     bool accumulate) {
    cpu::cross_entropy_backward(rows, n, settings, logits, target, log_sum, factor, gradient,
                                accumulate);
  }

  template <class T, class Scalar>
  static void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                        Scalar* log_sum) {
    cpu::attention<cpu::AttentionProducts<T>>(p, q, k, v, y, log_sum);
  }
  template <class T, class Scalar>
  static void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v,
                                 const T* y, const Scalar* log_sum, const T* upstream,
                                 const AttentionGradients<T>& to) {
    cpu::attention_backward<cpu::AttentionProducts<T>>(p, q, k, v, y, log_sum, upstream, to);
  }
  template <class T, class Scalar>
  static void normalize(const Normalization& p, const T* x, const Scalar* weight,
                        const Scalar* bias, T* y, Scalar* mean, Scalar* scale) {
    cpu::normalize(p, x, weight, bias, y, mean, scale);
  }
  template <class T, class Scalar>
  static void normalize_backward(const Normalization& p, const T* x, const T* upstream,
                                 const Scalar* mean, const Scalar* scale, const Scalar* weight,
                                 const NormalizationGradients<T, Scalar>& to) {
    cpu::normalize_backward(p, x, upstream, mean, scale, weight, to);
  }
  template <class T, class Scalar>
  static void channel_moments(const ChannelLayout& layout, const T* x, Scalar* mean,
                              Scalar* variance) {
    cpu::channel_moments(layout, x, mean, variance);
  }
  template <class T, class Scalar>
  static void channel_affine(const ChannelLayout& layout, const T* x, const Scalar* mean,
                             const Scalar* scale, const Scalar* weight, const Scalar* bias, T* y) {
    cpu::channel_affine(layout, x, mean, scale, weight, bias, y);
  }
  template <class T, class Scalar>
  static void channel_sums(const ChannelLayout& layout, const T* x, const T* upstream,
                           const Scalar* mean, const Scalar* scale, Scalar* sum, Scalar* product) {
    cpu::channel_sums(layout, x, upstream, mean, scale, sum, product);
  }
  template <class T, class Scalar>
  static void channel_gradient(const ChannelLayout& layout, const T* x, const T* upstream,
                               const Scalar* mean, const Scalar* scale, const Scalar* weight,
                               const Scalar* sum, const Scalar* product, double share, T* gradient,
                               bool accumulate) {
    cpu::channel_gradient(layout, x, upstream, mean, scale, weight, sum, product, share, gradient,
                          accumulate);
  }

  template <class Cell, class T, class Scalar>
  static void recurrent_step(const RecurrentStep& step, const Scalar* input_sums,
                             const Scalar* hidden_sums, T* saved, Scalar* state, T* y) {
    cpu::for_each_row<Scalar>(
        step.batch, Cell::gates * step.hidden,
        RecurrentStepLoop<Cell, T, Scalar>{step, input_sums, hidden_sums, saved, state, y});
  }
  template <class Cell, class T, class Scalar>
  static void recurrent_step_backward(const RecurrentStep& step, const T* saved, const T* upstream,
                                      const Scalar* from_products, Scalar* to_state,
                                      T* to_input_sums, T* to_hidden_sums) {
    cpu::for_each_row<Scalar>(
        step.batch, Cell::gates * step.hidden,
        RecurrentStepBackwardLoop<Cell, T, Scalar>{step, saved, upstream, from_products, to_state,
                                                   to_input_sums, to_hidden_sums});
  }

  template <class Scalar>
  static void ctc_loss(const CtcProblem& p, const Scalar* log_probabilities, Scalar* alpha,
                       Scalar* loss) {
    check_ctc(p);
    cpu::parallel_for(p.batch, 1, [&](Index first, Index last) {
      for (Index row = first; row < last; ++row)
        loss[row] =
            CtcRow<Scalar>(p, row, log_probabilities).forward(alpha + row * p.time * p.positions());
    });
  }
  template <class Scalar>
  static void ctc_loss_backward(const CtcProblem& p, const Scalar* log_probabilities,
                                const Scalar* alpha, const Scalar* factor, Scalar* gradient) {
    cpu::parallel_for(p.batch, 1, [&](Index first, Index last) {
      for (Index row = first; row < last; ++row)
        CtcRow<Scalar>(p, row, log_probabilities)
            .backward(alpha + row * p.time * p.positions(), factor[row],
                      gradient + row * p.time * p.classes);
    });
  }

  template <class From, class To>
  static void strided_copy(const StridedCopy& copy, const From* from, To* to) {
    cpu::strided_copy(copy, from, to);
  }
  template <class T>
  static void gather_rows(Index n, Index width, Index rows, const T* table,
                          const std::int32_t* index, T* out) {
    cpu::gather_rows(n, width, rows, table, index, out);
  }
  template <class T>
  static void scatter_add_rows(Index n, Index width, Index rows, const T* values,
                               const std::int32_t* index, T* table) {
    cpu::scatter_add_rows(n, width, rows, values, index, table);
  }
  template <class S>
  static void pool(const PoolProblem& problem, const S* x, S* y) {
    cpu::pool(problem, x, y);
  }
  template <class S>
  static void pool_backward(const PoolProblem& problem, const S* x, const S* upstream, S* gradient,
                            bool accumulate) {
    cpu::pool_backward(problem, x, upstream, gradient, accumulate);
  }
  template <class T>
  static void check_finite(Index n, const T* x, FiniteCheck* into) {
    cpu::check_finite(n, x, into);
  }
  template <class T>
  static void count_exponents(Index n, const T* x, const ExponentScale& scale,
                              ExponentCounts* into) {
    cpu::count_exponents(n, x, scale, into);
  }

  template <class F>
  static void once(const F& f) {
    f();
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    copy(static_cast<Index>(from.size()), from.data(), to);
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    copy(static_cast<Index>(to.size()), from, to.data());
  }
  template <class From, class To>
  static void convert(Index n, const From* from, To* to) {
    if constexpr (std::is_same_v<From, To>)
      copy(n, from, to);
    else
      cpu::convert_elements(n, from, to);
  }
  template <class T>
  static void clear(Index n, T* x) {
    cpu::parallel_for(n, Index{1} << 17, [&](Index first, Index last) {
      std::memset(static_cast<void*>(x + first), 0,
                  static_cast<std::size_t>(last - first) * sizeof(T));
    });
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    cpu::parallel_for(n, 8 * cpu::element_grain, [&](Index first, Index last) {
      std::copy_n(from + first, last - first, to + first);
    });
  }
  static void synchronize() {}
};

}  // namespace backend
}  // namespace halfstep
