#pragma once

#include <halfstep/backend/delayed_queue.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/separate_epilogues.hpp>

#include <memory>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// A device for tests: the reference's operations, queued, and done when the host waits. A
/// training step that runs here neither reads device memory on the host nor waits unseen.
///
/// @throws UsageError  an operation was given host memory
struct Delayed : SeparateEpilogues<Delayed> {
  using DeviceType = device::Delayed;
  static constexpr std::string_view name = "delayed";

  template <class T>
  static constexpr bool has_storage = Reference::has_storage<T>;
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm = Reference::has_gemm<In, Compute, Out>;

  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    check("gemm", a, b, c, bias);
    add([=] { Reference::gemm<Compute>(p, a, b, c, bias); });
  }

  template <class F, class... Arguments>
  static void for_each_element(Index n, const F& f, Arguments... arrays) {
    check("for_each_element", arrays.data...);
    check_functor<F>();
    add([=] { Reference::for_each_element(n, f, arrays...); });
  }

  template <Reduction R, class F, class Out, class... Ins>
  static void reduce(const ReduceProblem& p, const F& map, Out* out, const Ins*... ins) {
    check("reduce", out, ins...);
    check_functor<F>();
    add([=] { Reference::reduce<R>(p, map, out, ins...); });
  }

  template <class In, class Out>
  static void softmax(Index rows, Index n, bool logarithm, const In* x, Out* y) {
    check("softmax", x, y);
    add([=] { Reference::softmax(rows, n, logarithm, x, y); });
  }
  template <class T>
  static void softmax_backward(Index rows, Index n, bool logarithm, const T* y, const T* upstream,
                               T* gradient, bool accumulate) {
    check("softmax_backward", y, upstream, gradient);
    add([=] {
      Reference::softmax_backward(rows, n, logarithm, y, upstream, gradient, accumulate);
    });
  }
  template <class In, class Scalar>
  static void cross_entropy(Index rows, Index n, const CrossEntropy& settings, const In* logits,
                            const std::int32_t* target, Scalar* loss, Scalar* log_sum) {
    check("cross_entropy", logits, target, loss, log_sum);
    add([=] { Reference::cross_entropy(rows, n, settings, logits, target, loss, log_sum); });
  }
  template <class In, class Scalar, class Out>
  static void cross_entropy_backward(Index rows, Index n, const CrossEntropy& settings,
                                     const In* logits, const std::int32_t* target,
                                     const Scalar* log_sum, const Scalar* factor, Out* gradient,
                                     bool accumulate) {
    check("cross_entropy_backward", logits, target, log_sum, factor, gradient);
    add([=] {
      Reference::cross_entropy_backward(rows, n, settings, logits, target, log_sum, factor,
                                        gradient, accumulate);
    });
  }

  template <class T, class Scalar>
  static void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                        Scalar* log_sum) {
    check("attention", q, k, v, y, log_sum);
    add([=] { Reference::attention(p, q, k, v, y, log_sum); });
  }
  template <class T, class Scalar>
  static void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v,
                                 const T* y, const Scalar* log_sum, const T* upstream,
                                 const AttentionGradients<T>& to) {
    check("attention_backward", q, k, v, y, log_sum, upstream, to.q, to.k, to.v);
    add([=] { Reference::attention_backward(p, q, k, v, y, log_sum, upstream, to); });
  }
  template <class T, class Scalar>
  static void normalize(const Normalization& p, const T* x, const Scalar* weight,
                        const Scalar* bias, T* y, Scalar* mean, Scalar* scale) {
    check("normalize", x, weight, bias, y, mean, scale);
    add([=] { Reference::normalize(p, x, weight, bias, y, mean, scale); });
  }
  template <class T, class Scalar>
  static void normalize_backward(const Normalization& p, const T* x, const T* upstream,
                                 const Scalar* mean, const Scalar* scale, const Scalar* weight,
                                 const NormalizationGradients<T, Scalar>& to) {
    check("normalize_backward", x, upstream, mean, scale, weight, to.x, to.weight, to.bias);
    add([=] { Reference::normalize_backward(p, x, upstream, mean, scale, weight, to); });
  }
  template <class T, class Scalar>
  static void channel_moments(const ChannelLayout& layout, const T* x, Scalar* mean,
                              Scalar* variance) {
    check("channel_moments", x, mean, variance);
    add([=] { Reference::channel_moments(layout, x, mean, variance); });
  }
  template <class T, class Scalar>
  static void channel_affine(const ChannelLayout& layout, const T* x, const Scalar* mean,
                             const Scalar* scale, const Scalar* weight, const Scalar* bias, T* y) {
    check("channel_affine", x, mean, scale, weight, bias, y);
    add([=] { Reference::channel_affine(layout, x, mean, scale, weight, bias, y); });
  }
  template <class T, class Scalar>
  static void channel_sums(const ChannelLayout& layout, const T* x, const T* upstream,
                           const Scalar* mean, const Scalar* scale, Scalar* sum, Scalar* product) {
    check("channel_sums", x, upstream, mean, scale, sum, product);
    add([=] { Reference::channel_sums(layout, x, upstream, mean, scale, sum, product); });
  }
  template <class T, class Scalar>
  static void channel_gradient(const ChannelLayout& layout, const T* x, const T* upstream,
                               const Scalar* mean, const Scalar* scale, const Scalar* weight,
                               const Scalar* sum, const Scalar* product, double share, T* gradient,
                               bool accumulate) {
    check("channel_gradient", x, upstream, mean, scale, weight, sum, product, gradient);
    add([=] {
      Reference::channel_gradient(layout, x, upstream, mean, scale, weight, sum, product, share,
                                  gradient, accumulate);
    });
  }
  template <class Cell, class T, class Scalar>
  static void recurrent_step(const RecurrentStep& step, const Scalar* input_sums,
                             const Scalar* hidden_sums, T* saved, Scalar* state, T* y) {
    check("recurrent_step", step.lengths, input_sums, hidden_sums, saved, state, y);
    add([=] { Reference::recurrent_step<Cell>(step, input_sums, hidden_sums, saved, state, y); });
  }
  template <class Cell, class T, class Scalar>
  static void recurrent_step_backward(const RecurrentStep& step, const T* saved, const T* upstream,
                                      const Scalar* from_products, Scalar* to_state,
                                      T* to_input_sums, T* to_hidden_sums) {
    check("recurrent_step_backward", step.lengths, saved, upstream, from_products, to_state,
          to_input_sums, to_hidden_sums);
    add([=] {
      Reference::recurrent_step_backward<Cell>(step, saved, upstream, from_products, to_state,
                                               to_input_sums, to_hidden_sums);
    });
  }

  template <class Scalar>
  static void ctc_loss(const CtcProblem& p, const Scalar* log_probabilities, Scalar* alpha,
                       Scalar* loss) {
    check("ctc_loss", p.targets, p.input_lengths, p.target_lengths, log_probabilities, alpha, loss);
    add([=] { Reference::ctc_loss(p, log_probabilities, alpha, loss); });
  }
  template <class Scalar>
  static void ctc_loss_backward(const CtcProblem& p, const Scalar* log_probabilities,
                                const Scalar* alpha, const Scalar* factor, Scalar* gradient) {
    check("ctc_loss_backward", p.targets, p.input_lengths, p.target_lengths, log_probabilities,
          alpha, factor, gradient);
    add([=] { Reference::ctc_loss_backward(p, log_probabilities, alpha, factor, gradient); });
  }

  template <class From, class To>
  static void strided_copy(const StridedCopy& copy, const From* from, To* to) {
    check("strided_copy", from, to);
    add([=] { Reference::strided_copy(copy, from, to); });
  }
  template <class T>
  static void gather_rows(Index n, Index width, Index rows, const T* table,
                          const std::int32_t* index, T* out) {
    check("gather_rows", table, index, out);
    add([=] { Reference::gather_rows(n, width, rows, table, index, out); });
  }
  template <class T>
  static void scatter_add_rows(Index n, Index width, Index rows, const T* values,
                               const std::int32_t* index, T* table) {
    check("scatter_add_rows", values, index, table);
    add([=] { Reference::scatter_add_rows(n, width, rows, values, index, table); });
  }
  template <class Compute, class S>
  static void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias,
                       S* y, bool accumulate) {
    check("convolve", x, weight, bias, y);
    add([=] { Reference::convolve<Compute>(p, x, weight, bias, y, accumulate); });
  }
  template <class Compute, class S>
  static void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight,
                                  const S* bias, S* x, bool accumulate) {
    check("convolve_transposed", y, weight, bias, x);
    add([=] { Reference::convolve_transposed<Compute>(p, y, weight, bias, x, accumulate); });
  }
  template <class Compute, class S>
  static void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                              bool accumulate) {
    check("convolve_weight", x, y, weight);
    add([=] { Reference::convolve_weight<Compute>(p, x, y, weight, accumulate); });
  }
  template <class S>
  static void pool(const PoolProblem& p, const S* x, S* y) {
    check("pool", x, y);
    add([=] { Reference::pool(p, x, y); });
  }
  template <class S>
  static void pool_backward(const PoolProblem& p, const S* x, const S* upstream, S* gradient,
                            bool accumulate) {
    check("pool_backward", x, upstream, gradient);
    add([=] { Reference::pool_backward(p, x, upstream, gradient, accumulate); });
  }

  template <class T>
  static void check_finite(Index n, const T* x, FiniteCheck* into) {
    check("check_finite", x, into);
    add([=] { Reference::check_finite(n, x, into); });
  }
  template <class T>
  static void count_exponents(Index n, const T* x, const ExponentScale& scale,
                              ExponentCounts* into) {
    check("count_exponents", x, into);
    add([=] { Reference::count_exponents(n, x, scale, into); });
  }

  template <class F>
  static void once(const F& f) {
    check_functor<F>();
    add([=] { f(); });
  }

  /// The source may be gone before the queue comes to it, so it is copied.
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    check("upload", to);
    const auto staged = std::make_shared<std::vector<T>>(from.begin(), from.end());
    add([=] { std::copy(staged->begin(), staged->end(), to); });
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    check("download", from);
    add([=] { std::copy_n(from, to.size(), to.begin()); });
    synchronize();
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    check("copy", from, to);
    add([=] { std::copy_n(from, n, to); });
  }
  template <class From, class To>
  static void convert(Index n, const From* from, To* to) {
    check("convert", from, to);
    add([=] { Reference::convert(n, from, to); });
  }
  template <class T>
  static void clear(Index n, T* x) {
    check("clear", x);
    add([=] { Reference::clear(n, x); });
  }
  static void synchronize() { DelayedQueue::shared().synchronize(); }
  /// How often the host has waited for the device: a training step must not.
  static std::size_t synchronizations() { return DelayedQueue::shared().synchronizations(); }

 private:
  template <class Work>
  static void add(Work work) {
    DelayedQueue::shared().add(std::move(work));
  }
  template <class F>
  static void check_functor() {
    static_assert(std::is_trivially_copyable_v<F>,
                  "halfstep: a functor goes to the device byte by byte; give it plain members");
  }
  template <class... T>
  static void check(const char* operation, const T*... addresses) {
    for (const void* address : {static_cast<const void*>(addresses)...})
      if (address != nullptr && !DelayedQueue::shared().owns(address))
        fail<UsageError>(operation,
                         ": an address is host memory and the backend is `delayed`; "
                         "upload the numbers first");
  }
};

}  // namespace backend
}  // namespace halfstep
