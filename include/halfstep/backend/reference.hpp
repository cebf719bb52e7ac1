#pragma once

#include <halfstep/backend/reference/attention.hpp>
#include <halfstep/backend/reference/convolution.hpp>
#include <halfstep/backend/reference/normalization.hpp>
#include <halfstep/backend/reference/pool.hpp>
#include <halfstep/backend/separate_epilogues.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/ops/cross_entropy.hpp>
#include <halfstep/ops/exponent_counts.hpp>
#include <halfstep/ops/finite_check.hpp>
#include <halfstep/ops/index_check.hpp>
#include <halfstep/tensor/device.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

using reference::add_or_set;

/// Every operation as plain loops on one thread. Slow, and the definition that the other backends
/// are tested against: what an operation means is what stands here.
struct Reference : SeparateEpilogues<Reference> {
  using DeviceType = device::Cpu;
  static constexpr std::string_view name = "reference";

  template <class T>
  static constexpr bool has_storage = Storage<T>;

  /// float; double for whatever is stored; a 16-bit accumulator for numbers of its own type.
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm =
      Storage<In>&& Storage<Out> &&
      (std::is_same_v<Compute, double> ||
       (!std::is_same_v<In, double> &&
        (std::is_same_v<Out, In> || std::is_same_v<Out, float>)&&(std::is_same_v<Compute, float> ||
                                                                  std::is_same_v<Compute, In>)));

  /// C = activation(alpha op(A) op(B) + bias + beta C).
  /// @numerics  every product-sum is rounded to Compute; the rest is done in float (in double where
  ///            Compute is double) and rounded once at the store
  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    static_assert(has_gemm<In, Compute, Out>);
    using Scalar = halfstep::Compute<Compute>;
    for (Index i = 0; i < p.batch; ++i, a += p.m * p.k, b += p.k * p.n, c += p.m * p.n)
      for (Index row = 0; row < p.m; ++row)
        for (Index column = 0; column < p.n; ++column) {
          Compute sum = storage_cast<Compute>(0.0f);
          for (Index j = 0; j < p.k; ++j)
            sum = reference::add_product(sum, a[p.transpose_a ? j * p.m + row : row * p.k + j],
                                         b[p.transpose_b ? column * p.k + j : j * p.n + column]);
          Scalar value = static_cast<Scalar>(p.alpha) * storage_cast<Scalar>(sum);
          if (bias != nullptr) value += storage_cast<Scalar>(bias[column]);
          Out& out = c[row * p.n + column];
          if (p.beta != 0.0f) value += static_cast<Scalar>(p.beta) * storage_cast<Scalar>(out);
          if (p.activation == Activation::relu && value < 0) value = 0;
          out = storage_cast<Out>(value);
        }
  }

  template <class F, class... Arguments>
  static void for_each_element(Index n, const F& f, Arguments... arrays) {
    using N = CommonCompute<typename ElementArgument<Arguments>::Storage...>;
    const auto ready = prepare(f);
    if (skips(ready)) return;
    for (Index i = 0; i < n; ++i) visit<N>(ready, i, arrays...);
  }

  template <Reduction R, class F, class Out, class... Ins>
  static void reduce(const ReduceProblem& p, const F& map, Out* out, const Ins*... ins) {
    using N = CommonCompute<Ins...>;
    for (Index o = 0; o < p.outer; ++o)
      for (Index i = 0; i < p.inner; ++i) {
        double result = R == Reduction::sum   ? 0.0
                        : R == Reduction::max ? -std::numeric_limits<double>::infinity()
                                              : std::numeric_limits<double>::infinity();
        for (Index r = 0; r < p.reduced; ++r) {
          const Index at = (o * p.reduced + r) * p.inner + i;
          const double value = static_cast<double>(mapped<N>(map, storage_cast<N>(ins[at])...));
          if constexpr (R == Reduction::sum) {
            result += value;
          } else if constexpr (R == Reduction::max) {
            result = value > result || std::isnan(value) ? value : result;
          } else {
            result = value < result || std::isnan(value) ? value : result;
          }
        }
        Out& to = out[o * p.inner + i];
        result *= p.scale;
        if (p.accumulate) result += storage_cast<double>(to);
        to = storage_cast<Out>(result);
      }
  }

  /// y_j = exp(x_j) / sum exp(x), or its logarithm, per row.
  template <class In, class Out>
  static void softmax(Index rows, Index n, bool logarithm, const In* x, Out* y) {
    for (Index row = 0; row < rows; ++row, x += n, y += n) {
      const double log_sum = log_sum_exp(n, x);
      for (Index j = 0; j < n; ++j) {
        const double value = storage_cast<double>(x[j]) - log_sum;
        y[j] = storage_cast<Out>(logarithm ? value : std::exp(value));
      }
    }
  }

  /// gradient = y (u - sum u y), or u - exp(y) sum u for the logarithm, per row.
  template <class T>
  static void softmax_backward(Index rows, Index n, bool logarithm, const T* y, const T* upstream,
                               T* gradient, bool accumulate) {
    for (Index row = 0; row < rows; ++row, y += n, upstream += n, gradient += n) {
      double sum = 0.0;
      for (Index j = 0; j < n; ++j)
        sum += storage_cast<double>(upstream[j]) * (logarithm ? 1.0 : storage_cast<double>(y[j]));
      for (Index j = 0; j < n; ++j) {
        const double u = storage_cast<double>(upstream[j]);
        const double out = storage_cast<double>(y[j]);
        add_or_set(gradient[j], logarithm ? u - std::exp(out) * sum : out * (u - sum), accumulate);
      }
    }
  }

  template <class In, class Scalar>
  static void cross_entropy(Index rows, Index n, const CrossEntropy& settings, const In* logits,
                            const std::int32_t* target, Scalar* loss, Scalar* log_sum) {
    check_targets(rows, n, settings, target);
    for (Index row = 0; row < rows; ++row, logits += n) {
      const double log_sum_row = log_sum_exp(n, logits);
      log_sum[row] = static_cast<Scalar>(log_sum_row);
      loss[row] = 0;
      if (target[row] == settings.ignored_target) continue;
      double sum = 0.0;
      for (Index j = 0; j < n; ++j) sum += log_sum_row - storage_cast<double>(logits[j]);
      const double smoothing = settings.label_smoothing;
      loss[row] = static_cast<Scalar>(
          (1.0 - smoothing) * (log_sum_row - storage_cast<double>(logits[target[row]])) +
          (smoothing == 0.0 ? 0.0 : smoothing / static_cast<double>(n) * sum));
    }
  }

  template <class In, class Scalar, class Out>
  static void cross_entropy_backward(Index rows, Index n, const CrossEntropy& settings,
                                     const In* logits, const std::int32_t* target,
                                     const Scalar* log_sum, const Scalar* factor, Out* gradient,
                                     bool accumulate) {
    check_targets(rows, n, settings, target);
    for (Index row = 0; row < rows; ++row, logits += n, gradient += n) {
      const bool ignored = target[row] == settings.ignored_target;
      for (Index j = 0; j < n; ++j) {
        const double hot = (j == target[row] ? 1.0 - settings.label_smoothing : 0.0) +
                           settings.label_smoothing / static_cast<double>(n);
        const double probability = std::exp(storage_cast<double>(logits[j]) - log_sum[row]);
        add_or_set(gradient[j],
                   ignored ? 0.0 : (probability - hot) * static_cast<double>(factor[0]),
                   accumulate);
      }
    }
  }

  template <class T, class Scalar>
  static void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                        Scalar* log_sum) {
    reference::attention(p, q, k, v, y, log_sum);
  }
  template <class T, class Scalar>
  static void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v,
                                 const T* y, const Scalar* log_sum, const T* upstream,
                                 const AttentionGradients<T>& to) {
    reference::attention_backward(p, q, k, v, y, log_sum, upstream, to);
  }
  template <class T, class Scalar>
  static void normalize(const Normalization& p, const T* x, const Scalar* weight,
                        const Scalar* bias, T* y, Scalar* mean, Scalar* scale) {
    reference::normalize(p, x, weight, bias, y, mean, scale);
  }
  template <class T, class Scalar>
  static void normalize_backward(const Normalization& p, const T* x, const T* upstream,
                                 const Scalar* mean, const Scalar* scale, const Scalar* weight,
                                 const NormalizationGradients<T, Scalar>& to) {
    reference::normalize_backward(p, x, upstream, mean, scale, weight, to);
  }
  template <class T, class Scalar>
  static void channel_moments(const ChannelLayout& layout, const T* x, Scalar* mean,
                              Scalar* variance) {
    reference::channel_moments(layout, x, mean, variance);
  }
  template <class T, class Scalar>
  static void channel_affine(const ChannelLayout& layout, const T* x, const Scalar* mean,
                             const Scalar* scale, const Scalar* weight, const Scalar* bias, T* y) {
    reference::channel_affine(layout, x, mean, scale, weight, bias, y);
  }
  template <class T, class Scalar>
  static void channel_sums(const ChannelLayout& layout, const T* x, const T* upstream,
                           const Scalar* mean, const Scalar* scale, Scalar* sum, Scalar* product) {
    reference::channel_sums(layout, x, upstream, mean, scale, sum, product);
  }
  template <class T, class Scalar>
  static void channel_gradient(const ChannelLayout& layout, const T* x, const T* upstream,
                               const Scalar* mean, const Scalar* scale, const Scalar* weight,
                               const Scalar* sum, const Scalar* product, double share, T* gradient,
                               bool accumulate) {
    reference::channel_gradient(layout, x, upstream, mean, scale, weight, sum, product, share,
                                gradient, accumulate);
  }

  template <class Cell, class T, class Scalar>
  static void recurrent_step(const RecurrentStep& step, const Scalar* input_sums,
                             const Scalar* hidden_sums, T* saved, Scalar* state, T* y) {
    RecurrentStepLoop<Cell, T, Scalar>{step, input_sums, hidden_sums, saved, state, y}
        .template operator()<Scalar>(0, step.batch);
  }
  template <class Cell, class T, class Scalar>
  static void recurrent_step_backward(const RecurrentStep& step, const T* saved, const T* upstream,
                                      const Scalar* from_products, Scalar* to_state,
                                      T* to_input_sums, T* to_hidden_sums) {
    RecurrentStepBackwardLoop<Cell, T, Scalar>{
        step, saved, upstream, from_products, to_state, to_input_sums, to_hidden_sums}
        .template operator()<Scalar>(0, step.batch);
  }

  template <class Scalar>
  static void ctc_loss(const CtcProblem& p, const Scalar* log_probabilities, Scalar* alpha,
                       Scalar* loss) {
    check_ctc(p);
    for (Index row = 0; row < p.batch; ++row)
      loss[row] =
          CtcRow<Scalar>(p, row, log_probabilities).forward(alpha + row * p.time * p.positions());
  }
  template <class Scalar>
  static void ctc_loss_backward(const CtcProblem& p, const Scalar* log_probabilities,
                                const Scalar* alpha, const Scalar* factor, Scalar* gradient) {
    for (Index row = 0; row < p.batch; ++row)
      CtcRow<Scalar>(p, row, log_probabilities)
          .backward(alpha + row * p.time * p.positions(), factor[row],
                    gradient + row * p.time * p.classes);
  }

  template <class From, class To>
  static void strided_copy(const StridedCopy& copy, const From* from, To* to) {
    using N = CommonCompute<From, To>;
    const Index size = copy.extents.size();
    for (Index i = 0; i < size; ++i) {
      Index from_at = copy.from_offset;
      Index to_at = copy.to_offset;
      Index rest = i;
      for (int axis = copy.extents.rank() - 1; axis >= 0; --axis) {
        const Index position = rest % copy.extents[axis];
        rest /= copy.extents[axis];
        from_at += position * copy.from_strides[static_cast<std::size_t>(axis)];
        to_at += position * copy.to_strides[static_cast<std::size_t>(axis)];
      }
      if (copy.accumulate) {
        to[to_at] = storage_cast<To>(storage_cast<N>(to[to_at]) + storage_cast<N>(from[from_at]));
      } else {
        to[to_at] = storage_cast<To>(from[from_at]);
      }
    }
  }

  /// out[i] = table[index[i]], rows of `width`.
  template <class T>
  static void gather_rows(Index n, Index width, Index rows, const T* table,
                          const std::int32_t* index, T* out) {
    check_indices("gather_rows", n, rows, index);
    for (Index i = 0; i < n; ++i) std::copy_n(table + index[i] * width, width, out + i * width);
  }

  /// table[index[i]] += values[i] for i = 0, 1, ..., rows of `width`; each element of the table is
  /// rounded once, after all that comes to it.
  template <class T>
  static void scatter_add_rows(Index n, Index width, Index rows, const T* values,
                               const std::int32_t* index, T* table) {
    using N = halfstep::Compute<T>;
    check_indices("scatter_add_rows", n, rows, index);
    std::vector<N> sums(static_cast<std::size_t>(rows * width));
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = storage_cast<N>(table[i]);
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < width; ++j)
        sums[static_cast<std::size_t>(index[i] * width + j)] +=
            storage_cast<N>(values[i * width + j]);
    for (std::size_t i = 0; i < sums.size(); ++i) table[i] = storage_cast<T>(sums[i]);
  }

  /// @numerics  sums in Compute, as gemm's
  template <class Compute, class S>
  static void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias,
                       S* y, bool accumulate) {
    reference::convolve<Compute>(p, x, weight, bias, y, accumulate);
  }
  template <class Compute, class S>
  static void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight,
                                  const S* bias, S* x, bool accumulate) {
    reference::convolve_transposed<Compute>(p, y, weight, bias, x, accumulate);
  }
  template <class Compute, class S>
  static void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                              bool accumulate) {
    reference::convolve_weight<Compute>(p, x, y, weight, accumulate);
  }
  template <class S>
  static void pool(const PoolProblem& p, const S* x, S* y) {
    reference::pool(p, x, y);
  }
  template <class S>
  static void pool_backward(const PoolProblem& p, const S* x, const S* upstream, S* gradient,
                            bool accumulate) {
    reference::pool_backward(p, x, upstream, gradient, accumulate);
  }

  template <class T>
  static void check_finite(Index n, const T* x, FiniteCheck* into) {
    for (Index i = 0; i < n; ++i) {
      const double value = storage_cast<double>(x[i]);
      into->sum_of_squares += value * value;
      if (!std::isfinite(value)) into->found_inf = 1;
    }
  }

  template <class T>
  static void count_exponents(Index n, const T* x, const ExponentScale& scale,
                              ExponentCounts* into) {
    for (Index i = 0; i < n; ++i) into->add(storage_cast<double>(x[i]), scale);
  }

  template <class F>
  static void once(const F& f) {
    f();
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    std::copy(from.begin(), from.end(), to);
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    std::copy_n(from, to.size(), to.begin());
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    std::copy_n(from, n, to);
  }
  template <class From, class To>
  static void convert(Index n, const From* from, To* to) {
    for (Index i = 0; i < n; ++i) to[i] = storage_cast<To>(from[i]);
  }
  template <class T>
  static void clear(Index n, T* x) {
    std::fill_n(x, n, T{});
  }
  static void synchronize() {}

 private:
  template <class N, class F, class... Arguments>
  static void visit(const F& f, Index i, Arguments... arrays) {
    const auto call = [&](auto... numbers) {
      apply_to_elements(f, i, numbers...);
      (put(arrays, i, numbers), ...);
    };
    call(get<N>(arrays, i)...);
  }
  template <class N, class Argument>
  static N get(Argument array, Index i) {
    if constexpr (ElementArgument<Argument>::reads) {
      return storage_cast<N>(array.data[i]);
    } else {
      return N(0);
    }
  }
  template <class Argument, class N>
  static void put([[maybe_unused]] Argument array, [[maybe_unused]] Index i,
                  [[maybe_unused]] N number) {
    using Traits = ElementArgument<Argument>;
    if constexpr (Traits::writes) array.data[i] = storage_cast<typename Traits::Storage>(number);
  }
  template <class N, class F, class... Numbers>
  static N mapped(const F& map, const Numbers&... numbers) {
    return map(numbers...);
  }

  template <class T>
  static double log_sum_exp(Index n, const T* x) {
    double largest = -std::numeric_limits<double>::infinity();
    for (Index j = 0; j < n; ++j) largest = std::max(largest, storage_cast<double>(x[j]));
    double sum = 0.0;
    for (Index j = 0; j < n; ++j) sum += std::exp(storage_cast<double>(x[j]) - largest);
    return largest + std::log(sum);
  }
};

}  // namespace backend
}  // namespace halfstep
