#pragma once

#include <halfstep/ops/attention.hpp>
#include <halfstep/ops/convolution.hpp>
#include <halfstep/ops/ctc.hpp>
#include <halfstep/ops/elements.hpp>
#include <halfstep/ops/normalization.hpp>
#include <halfstep/ops/recurrent.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// What a product does on its way out: C = activation(alpha op(A) op(B) + bias + beta C).
enum class Activation : std::uint8_t { none, relu };

/// The extents of C[i] = op(A[i]) op(B[i]) for i in [0, batch), row-major:
/// op(A) is [m, k], op(B) is [k, n], C is [m, n]; a transposed operand is stored [k, m] or [n, k].
struct GemmProblem {
  Index batch = 1;
  Index m = 0;
  Index n = 0;
  Index k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1.0f;
  /// 0 overwrites C (whatever it held, NaN too); 1 adds to it.
  float beta = 0.0f;
  Activation activation = Activation::none;

  friend bool operator==(const GemmProblem&, const GemmProblem&) = default;
};

/// The extents of a reduction over the middle axis of a row-major [outer, reduced, inner].
struct ReduceProblem {
  Index outer = 1;
  Index reduced = 1;
  Index inner = 1;
  /// The result is multiplied by this before it is stored: 1 / reduced makes a mean.
  double scale = 1.0;
  /// Adds to what the output holds instead of overwriting it.
  bool accumulate = false;
};

enum class Reduction : std::uint8_t { sum, max, min };

/// Copies element (i0, i1, ...) from `from[from_offset + sum i * from_strides]` to
/// `to[to_offset + sum i * to_strides]`: transposes, slices, broadcasts (stride 0), concatenation.
struct StridedCopy {
  Shape extents{};
  std::array<Index, Shape::max_rank> from_strides{};
  std::array<Index, Shape::max_rank> to_strides{};
  Index from_offset = 0;
  Index to_offset = 0;
  bool accumulate = false;
};

/// A functor for `once` that counts over many parts, which a device may share among threads.
template <class F>
concept CountsParts = requires(const F& f, Index i) {
  { f.parts() } -> std::same_as<Index>;
  { f.part(i) } -> std::same_as<Index>;
  f.finish(i);
};

/// What runs operations on the tensors of a device. A backend is a class without state; it offers
/// these static functions, whose callers have checked shapes (T, In, Out: storage types):
///
///   template <class In, class Compute, class Out> static constexpr bool has_gemm;
///   template <class T> static constexpr bool has_storage;
///   gemm<Compute>(const GemmProblem&, const In* a, const In* b, Out* c, const Bias* bias)
///       bias: [n], added to every row, or a null pointer of In's type
///   gemm_gelu<Compute>(problem, const T* a, const T* b, T* c, const T* bias, T* before)
///       before = op(a) op(b) + bias; c = its GELU, the tanh form. bias and before may be null.
///       Of this and the next three the batch is 1, and beta 0 but in the last
///   gemm_gelu_backward<Compute>(problem, const T* a, const T* b, T* c, const T* before,
///                               T* bias_gradient, bool add_to_bias)
///       c = gelu'(before) (op(a) op(b)); bias_gradient [n] = (or +=) c summed over its rows, or
///       null
///   gemm_relu_backward<Compute>(problem, a, b, c, const T* after, bias_gradient, add_to_bias)
///       the same with relu's derivative, 1 where `after` > 0
///   gemm_bias_gradient<Compute>(problem, const In* a, const In* b, Out* c, Out* bias_gradient,
///                               bool add_to_bias)
///       the product, beta as it says; bias_gradient [m] = (or +=) the sums of op(a)'s rows
///   convolve<Compute>(const ConvolutionProblem&, const S* x, const S* weight, const S* bias, S* y,
///                     bool accumulate)      bias: [filters] or null; products as has_gemm says
///   convolve_transposed<Compute>(problem, const S* y, weight, const S* bias, S* x, accumulate)
///       x = what each y hands back to its window: the gradient of x from that of y, and the
///       forward pass of a transposed convolution, whose bias is [channels]
///   convolve_weight<Compute>(problem, const S* x, const S* y, S* weight, accumulate)
///       the gradient of the weight from that of y
///   pool(const PoolProblem&, const S* x, S* y)
///   pool_backward(const PoolProblem&, const S* x, const S* upstream, S* gradient, accumulate)
///       of equal maxima the first one gets the gradient; an average needs no x
///   for_each_element(Index n, const F& f, In<A>|Out<A>|InOut<A>... arrays)
///       f(N&...) or f(Index first, N&...) where it wants to know which element; see elements.hpp
///   reduce<R>(const ReduceProblem&, const F& map, Out* out, const In*... ins)
///       out[o, i] = scale * R over r of map(ins[o, r, i]...), in the compute type
///   softmax(Index rows, Index n, bool logarithm, const In* x, Out* y)
///   softmax_backward(rows, n, logarithm, const T* y, const T* upstream, T* gradient, accumulate)
///   cross_entropy(rows, n, const CrossEntropy&, const In* logits, const int32_t* target,
///                 Compute* loss, Compute* log_sum)      loss and log-sum-exp per row
///   cross_entropy_backward(rows, n, settings, logits, target, log_sum, const Compute* factor,
///                          Out* gradient, accumulate)
///       gradient = (softmax - smoothed one-hot) * factor[0], 0 on ignored rows; it may be written
///       over the logits
///   attention(const AttentionProblem&, const T* q, k, v, T* y, Compute* log_sum)
///       y = softmax(scale q k^T) v by heads, and the scores' log-sum-exp [batch, heads, queries]
///   attention_backward(problem, q, k, v, y, log_sum, const T* upstream,
///                      const AttentionGradients<T>&)
///   normalize(const Normalization&, const T* x, const Compute* weight, bias, T* y, Compute* mean,
///             Compute* scale)       x' = (x - mean) scale by sample and group; y = x' weight +
///             bias
///   normalize_backward(normalization, x, upstream, mean, scale, weight, NormalizationGradients to)
///   channel_moments(const ChannelLayout&, const T* x, Compute* mean, Compute* variance)
///   channel_affine(layout, x, mean, scale, weight, bias, T* y)
///   channel_sums(layout, x, upstream, mean, scale, Compute* sum, Compute* product)
///       of upstream and of upstream x', by channel
///   channel_gradient(layout, x, upstream, mean, scale, weight, sum, product, double share,
///                    T* gradient, accumulate)
///       weights and biases may be null pointers: 1 and 0; see backend/reference/normalization.hpp
///   recurrent_step<Cell>(const RecurrentStep&, const Compute* input_sums, hidden_sums, T* saved,
///                        Compute* state, T* y)
///   recurrent_step_backward<Cell>(step, const T* saved, upstream, const Compute* from_products,
///                                 Compute* to_state, T* to_input_sums, to_hidden_sums)
///       a cell of ops/formulas_recurrent.hpp over a batch; see recurrent.hpp
///   ctc_loss(const CtcProblem&, const Compute* log_probabilities, Compute* alpha, Compute* loss)
///       loss by row; alpha [batch, time, positions] is for backward; see ctc.hpp
///   ctc_loss_backward(problem, log_probabilities, const Compute* alpha, const Compute* factor,
///                     Compute* gradient)      of the logits, each row's loss times its factor
///   strided_copy(const StridedCopy&, const From* from, To* to)
///   gather_rows(Index n, width, rows, const T* table, const int32_t* index, T* out)
///   scatter_add_rows(n, width, rows, const T* values, const int32_t* index, T* table)
///       in the order of `index`, sums in the compute type
///   check_finite(Index n, const T* x, FiniteCheck* into)
///       one read: adds to the sum of squares, raises the flag; see finite_check.hpp
///   count_exponents(Index n, const T* x, const ExponentScale&, ExponentCounts* into)
///       one read: adds how many numbers have which exponent; see exponent_counts.hpp
///   once(const F& f)               runs f() on the device, in order with everything else; where f
///       CountsParts, f.finish(sum over i in [0, f.parts()) of f.part(i)), which is the same
///   upload(std::span<const T> from, T* to), download(const T* from, std::span<T> to)
///       download waits; upload may not (the source is copied first)
///   copy(Index n, const T* from, T* to)
///   convert(Index n, const From* from, To* to)    between storage types: one rounding
///   clear(Index n, T* x)           sets every element to zero
///   synchronize()                  waits for all that was asked for
///
/// and, where its memory is another than the host's, it may offer
///
///   class Uploader(std::size_t slots, std::size_t bytes)   uploads beside all else, from host
///       memory into slots; see backend/cuda/uploader.hpp:
///       std::byte* staging(slot), upload(slot, std::span<const T> from, T* to), acquire(slot),
///       release(slot)
///   mailbox()                      a Mailbox, in which numbers of the device arrive unasked
///
/// Sums are taken in a tree that depends on the sizes alone, so that a result has the same bits for
/// every number of threads.
template <class B>
concept Backend = Device<typename B::DeviceType> && requires(Index n, float* x) {
  { B::name } -> std::convertible_to<std::string_view>;
  { B::template has_gemm<float, float, float> } -> std::convertible_to<bool>;
  { B::template has_storage<float> } -> std::convertible_to<bool>;
  B::synchronize();
  B::copy(n, static_cast<const float*>(x), x);
  B::download(static_cast<const float*>(x), std::span<float>());
};

/// A tensor of a backend's device.
template <class T, class B>
using TensorOf = Tensor<T, typename B::DeviceType>;
template <class T, class B>
using ViewOf = View<T, typename B::DeviceType>;

}  // namespace halfstep
