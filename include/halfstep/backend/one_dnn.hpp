#pragma once

#include <halfstep/backend/cpu/gemm_finish.hpp>
#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/cpu/widen.hpp>
#include <halfstep/backend/one_dnn/attention_products.hpp>
#include <halfstep/backend/one_dnn/convolution.hpp>
#include <halfstep/backend/one_dnn/matmul_plan.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/separate_epilogues.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// oneDNN's products and our own loops: the default where the target halfstep::onednn is linked.
///
/// @numerics  products and sums in FP32. BF16 operands go to oneDNN as they are where the processor
///            multiplies them, else, as FP16 ones always, they are widened to float, which is
///            exact. One rounding, at the store.
struct OneDnn : CpuLoops, SeparateEpilogues<OneDnn> {
  static constexpr std::string_view name = "onednn";

  template <class In, class Compute, class Out>
  static constexpr bool has_gemm =
      Storage<In> && !std::is_same_v<In, double> && std::is_same_v<Compute, float> &&
      (std::is_same_v<Out, In> || std::is_same_v<Out, float>);

  /// Whether oneDNN multiplies BF16 on this processor; it is asked once.
  static bool has_native_bfloat16() {
    static const bool native = [] {
      try {
        one_dnn::MatmulKey key;
        key.problem = {.m = 64, .n = 64, .k = 64};
        key.in = key.out = dnnl_bf16;
        one_dnn::MatmulPlan plan(key);
        return true;
      } catch (const BackendError&) {
        return false;
      }
    }();
    return native;
  }

  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    static_assert(has_gemm<In, Compute, Out>);
    if (p.batch == 0 || p.m == 0 || p.n == 0) return;
    if (p.k == 0) return Reference::gemm<Compute>(p, a, b, c, bias);
    cpu::tell_vendor_libraries();
    if constexpr (std::is_same_v<In, float>) {
      multiply(p, a, b, c, bias);
    } else {
      if constexpr (std::is_same_v<In, bfloat16>) {
        if (has_native_bfloat16()) return multiply(p, a, b, c, bias);
      }
      widen_and_multiply(p, a, b, c, bias);
    }
  }

  /// @numerics  BF16 is multiplied as it is where the processor has instructions for it, and then
  ///            probabilities and their slopes are rounded to BF16 for their products; all else as
  ///            in CpuLoops
  template <class T, class Scalar>
  static void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                        Scalar* log_sum) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      if (has_bfloat16_instructions()) {
        cpu::tell_vendor_libraries();
        return cpu::attention<one_dnn::AttentionProducts<T>>(p, q, k, v, y, log_sum);
      }
    }
    CpuLoops::attention(p, q, k, v, y, log_sum);
  }
  template <class T, class Scalar>
  static void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v,
                                 const T* y, const Scalar* log_sum, const T* upstream,
                                 const AttentionGradients<T>& to) {
    if constexpr (std::is_same_v<T, bfloat16>) {
      if (has_bfloat16_instructions()) {
        cpu::tell_vendor_libraries();
        return cpu::attention_backward<one_dnn::AttentionProducts<T>>(p, q, k, v, y, log_sum,
                                                                      upstream, to);
      }
    }
    CpuLoops::attention_backward(p, q, k, v, y, log_sum, upstream, to);
  }

  /// @numerics  as gemm's; what is widened is so as a whole
  template <class Compute, class S>
  static void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias,
                       S* y, bool accumulate) {
    if constexpr (!std::is_same_v<S, float16>) {
      if (takes<S>()) return Convolution<S>::forward(p, x, weight, bias, y, accumulate);
    }
    if constexpr (!std::is_same_v<S, float>)
      cpu::convolve_widened(p, x, weight, bias, y, accumulate, [&](auto*... arrays) {
        Convolution<float>::forward(p, arrays..., false);
      });
  }
  template <class Compute, class S>
  static void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight,
                                  const S* bias, S* x, bool accumulate) {
    if constexpr (!std::is_same_v<S, float16>) {
      if (takes<S>()) return Convolution<S>::transposed(p, y, weight, bias, x, accumulate);
    }
    if constexpr (!std::is_same_v<S, float>)
      cpu::convolve_transposed_widened(p, y, weight, bias, x, accumulate, [&](auto*... arrays) {
        Convolution<float>::transposed(p, arrays..., false);
      });
  }
  template <class Compute, class S>
  static void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                              bool accumulate) {
    if constexpr (!std::is_same_v<S, float16>) {
      if (takes<S>()) return Convolution<S>::weight(p, x, y, weight, accumulate);
    }
    if constexpr (!std::is_same_v<S, float>)
      cpu::convolve_weight_widened(p, x, y, weight, accumulate, [&](auto*... arrays) {
        Convolution<float>::weight(p, arrays..., false);
      });
  }

 private:
  template <class S>
  using Convolution = one_dnn::Convolution<OneDnn, S>;

  /// oneDNN also emulates BF16, where a tile's products are better made in FP32.
  static bool has_bfloat16_instructions() {
#if defined(HALFSTEP_X86)
    static const bool has = __builtin_cpu_supports("avx512bf16") && has_native_bfloat16();
    return has;
#else
    return has_native_bfloat16();
#endif
  }

  /// Whether oneDNN computes with numbers of this type as they are.
  template <class S>
  static bool takes() {
    if constexpr (std::is_same_v<S, bfloat16>) return has_native_bfloat16();
    return std::is_same_v<S, float>;
  }

  /// Straight to oneDNN.
  template <class In, class Out, class Bias>
  static void multiply(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    if (bias != nullptr && (p.alpha != 1.0f || one_dnn::data_type<Bias> == dnnl_data_type_undef)) {
      // oneDNN would multiply the bias by alpha as well.
      Tensor<float> sums(Shape{p.batch * p.m, p.n});
      multiply(product_of(p), a, b, sums.data(), static_cast<const float*>(nullptr));
      cpu::finish_gemm(p, sums.data(), c, bias);
      return;
    }
    GemmProblem product = p;
    product.activation = Activation::none;
    const one_dnn::MatmulKey key{product, one_dnn::data_type<In>, one_dnn::data_type<Out>,
                                 bias == nullptr ? dnnl_data_type_undef : one_dnn::data_type<Bias>,
                                 threads()};
    auto& cache = one_dnn::PlanCache<one_dnn::MatmulPlan>::of_this_thread();
    cache.run(cache.plan(key), static_cast<const void*>(a), static_cast<const void*>(b),
              static_cast<void*>(c), static_cast<const void*>(bias));
    // oneDNN's own ReLU turns NaN into 0, and a step with NaN would not be skipped.
    if (p.activation == Activation::relu)
      cpu::for_each_element(p.batch * p.m * p.n, cpu::ClampBelow{}, InOut<Out>{c});
  }

  template <class In, class Out, class Bias>
  static void widen_and_multiply(const GemmProblem& p, const In* a, const In* b, Out* c,
                                 const Bias* bias) {
    const cpu::WidenedOperands<float, In> wide(p.batch * p.m * p.k, a, p.batch * p.k * p.n, b);
    const auto* const no_bias = static_cast<const float*>(nullptr);
    if constexpr (std::is_same_v<Out, float>) {
      if (bias == nullptr) return multiply(p, wide.a(), wide.b(), c, no_bias);
    }
    Tensor<float> sums(Shape{p.batch * p.m, p.n});
    multiply(product_of(p), wide.a(), wide.b(), sums.data(), no_bias);
    cpu::finish_gemm(p, sums.data(), c, bias);
  }

  /// The bare product of a problem.
  static GemmProblem product_of(GemmProblem p) {
    p.alpha = 1.0f;
    p.beta = 0.0f;
    p.activation = Activation::none;
    return p;
  }
};

}  // namespace backend
}  // namespace halfstep
