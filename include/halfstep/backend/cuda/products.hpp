#pragma once

#include <halfstep/backend/cuda/matmul_plans.hpp>
#include <halfstep/backend/grid/operations.hpp>
#include <halfstep/backend/separate_epilogues.hpp>
#include <halfstep/precision/product.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// x = max(x, 0), NaN stays NaN.
struct ClampBelow {
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(N& x) const {
    x = formulas::Relu()(x);
  }
};

/// x += bias of its column, and then at least 0 if asked.
template <class T, class Bias>
struct AddBias {
  using N = typename numeric_traits<T>::compute;
  const Bias* bias;
  Index width;
  bool relu;
  HALFSTEP_HOST_DEVICE void operator()(Index at, N& x) const {
    x = x + storage_cast<N>(bias[at % width]);
    if (relu) ClampBelow()(x);
  }
};

/// total += more.
struct AddTo {
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(N& total, const N& more) const {
    total = total + more;
  }
};

/// Matrix products by a MatmulPlans of cuBLASLt, each the fastest of what its plans' race has
/// found: what follows a product in its epilogue, or by separate passes.
///
/// ReLU is a separate pass in any case. Its epilogue is max(x, 0), and cuBLASLt does not say what
/// that is of NaN; the GPU's max instruction, unless told otherwise, makes it 0, which would hide
/// from the loss scaler that a step must be skipped. Without that epilogue nobody writes the bit
/// mask that its backward one reads: the order of its bits is not documented. GELU and its backward
/// multiply by what was NaN.
///
/// @numerics  products on tensor cores, sums in FP32 that truncate: 2^-22 is the roundoff to count
///            with. A fused epilogue rounds once, to C; separate passes round before it as
///            well, but a bias' only where cuBLASLt does not add it.
///
/// @tparam Queue    what runs the passes: see grid::Operations
/// @tparam Runtime  what multiplies on the same queue: see MatmulPlans
template <class Queue, class Runtime>
struct Products {
  using Plans = MatmulPlans<Runtime>;

  /// FP32, TF32, FP16 and BF16 with FP32 sums, FP64; 16-bit operands may leave FP32 results.
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm =
      Storage<In> && (std::is_same_v<Out, In> || std::is_same_v<Out, float>)&&(
                         std::is_same_v<In, double>
                             ? std::is_same_v<Compute, double>&& std::is_same_v<Out, double>
                             : std::is_same_v<Compute, float> ||
                                   (std::is_same_v<Compute, tf32> && std::is_same_v<In, float>));

  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    const Index n = p.batch * p.m * p.n;
    if (n == 0) return;
    const bool relu = p.activation == Activation::relu;
    const auto finish = [&](bool with_bias, Out* to) {
      if (with_bias)
        Passes::for_each_element(n, AddBias<Out, Bias>{bias, p.n, relu}, InOut<Out>{to});
      else if (relu)
        Passes::for_each_element(n, ClampBelow(), InOut<Out>{to});
    };
    if (p.k == 0) {  // no products
      if (p.beta == 0.0f) Queue::clear(n, c);
      return finish(bias != nullptr, c);
    }
    MatmulCall call = call_of<Compute>(p, a, b, c);
    // A bias of another type than C's is added by itself.
    if constexpr (std::is_same_v<Bias, Out>)
      if (bias != nullptr) set_bias(call, const_cast<Out*>(bias));
    Plans::shared().run(call, {}, [&](bool fused, void* to, void*) {
      finish(bias != nullptr && !fused, static_cast<Out*>(to));
    });
  }

  /// before = alpha op(a) op(b) + bias, c = gelu(before), the tanh form; nothing is added to.
  ///
  /// @param bias    [n], or null
  /// @param before  [m, n], for the backward pass, or null
  /// @numerics  fused, c is the GELU of what `before` was rounded from
  template <class Compute, class T>
  static void gemm_gelu(const GemmProblem& p, const T* a, const T* b, T* c, const T* bias,
                        T* before) {
    // FP64 has no epilogues.
    if (p.m * p.n * p.k == 0 || std::is_same_v<T, double>) {
      T* const sums = before == nullptr ? c : before;
      gemm<Compute>(p, a, b, sums, bias);
      return Separate::finish_gelu(p, sums, c);
    }
    MatmulCall call = call_of<Compute>(p, a, b, c);
    call.key.epilogue = Epilogue::gelu;
    if (bias != nullptr) set_bias(call, const_cast<T*>(bias));
    if (before != nullptr) set_before(call, before);
    Plans::shared().run(call, {}, [&](bool fused, void*, void*) {
      if (!fused) Separate::finish_gelu(p, before == nullptr ? c : before, c);
    });
  }

  /// c = gelu'(before) * (alpha op(a) op(b)), bias_gradient (+)= the sums of c's columns; nothing
  /// is added to c.
  ///
  /// @param before  is not c
  /// @param bias_gradient  [n], or null; added to if asked
  /// @numerics  fused, the sums are in FP32 of c before it was rounded, and rounded to T before
  /// they
  ///            are added; separate, of the rounded c, and rounded once
  template <class Compute, class T>
  static void gemm_gelu_backward(const GemmProblem& p, const T* a, const T* b, T* c,
                                 const T* before, T* bias_gradient, bool add_to_bias) {
    const auto finish = [&](T* to, T* sums) {
      Separate::template finish_backward<formulas::GeluTanh>(p, to, before, sums, add_to_bias);
    };
    if (p.m * p.n * p.k == 0) {
      gemm<Compute>(p, a, b, c, static_cast<const T*>(nullptr));
      return finish(c, bias_gradient);
    }
    MatmulCall call = call_of<Compute>(p, a, b, c);
    call.key.epilogue = Epilogue::gelu_backward;
    set_before(call, const_cast<T*>(before));
    run_with_bias_gradient(call, p.n, bias_gradient, add_to_bias, finish);
  }

  /// c = alpha op(a) op(b) where after > 0, else 0, and as above.
  template <class Compute, class T>
  static void gemm_relu_backward(const GemmProblem& p, const T* a, const T* b, T* c, const T* after,
                                 T* bias_gradient, bool add_to_bias) {
    gemm<Compute>(p, a, b, c, static_cast<const T*>(nullptr));
    Separate::template finish_backward<formulas::Relu>(p, c, after, bias_gradient, add_to_bias);
  }

  /// c = alpha op(a) op(b) + beta c, bias_gradient (+)= the sums of op(a)'s rows: the gradients of
  /// a weight and its bias, where a is the transposed upstream gradient.
  ///
  /// @param p  one product (batch is 1)
  /// @param bias_gradient  [m]; added to if asked
  /// @numerics  fused, the sums are rounded to Out before they are added; separate, once
  template <class Compute, class In, class Out>
  static void gemm_bias_gradient(const GemmProblem& p, const In* a, const In* b, Out* c,
                                 Out* bias_gradient, bool add_to_bias) {
    const auto sum_rows = [&](Out*, Out* sums) {
      Separate::finish_bias_gradient(p, a, sums, add_to_bias);
    };
    if (p.m * p.n * p.k == 0) {
      gemm<Compute>(p, a, b, c, static_cast<const In*>(nullptr));
      return sum_rows(c, bias_gradient);
    }
    MatmulCall call = call_of<Compute>(p, a, b, c);
    call.key.epilogue = Epilogue::sums_of_a;
    run_with_bias_gradient(call, p.m, bias_gradient, add_to_bias, sum_rows);
  }

 private:
  using Passes = grid::Operations<Queue, Products>;
  using Separate = SeparateEpilogues<Passes>;

  template <class T>
  static constexpr MatmulNumber number = std::is_same_v<T, float16>    ? MatmulNumber::float16
                                         : std::is_same_v<T, bfloat16> ? MatmulNumber::bfloat16
                                         : std::is_same_v<T, double>   ? MatmulNumber::float64
                                                                       : MatmulNumber::float32;
  template <class Compute>
  static constexpr MatmulSum sum = std::is_same_v<Compute, double> ? MatmulSum::float64
                                   : std::is_same_v<Compute, tf32> ? MatmulSum::tf32
                                                                   : MatmulSum::float32;

  template <class Compute, class In, class Out>
  static MatmulCall call_of(const GemmProblem& p, const In* a, const In* b, Out* c) {
    static_assert(has_gemm<In, Compute, Out>);
    Runtime::require(number<In>, sum<Compute>);
    MatmulCall call;
    MatmulKey& key = call.key;
    key.batch = p.batch, key.m = p.m, key.n = p.n, key.k = p.k;
    key.transpose_a = p.transpose_a, key.transpose_b = p.transpose_b;
    key.accumulate = p.beta != 0.0f;
    key.in = number<In>, key.out = number<Out>, key.sum = sum<Compute>;
    key.activation = p.activation;
    key.deterministic = DeterministicScope::active();
    key.alignment_a = alignment_of(a);
    key.alignment_b = alignment_of(b);
    key.alignment_c = alignment_of(c);
    call.alpha = static_cast<double>(p.alpha), call.beta = static_cast<double>(p.beta);
    call.a = a, call.b = b, call.c = c;
    return call;
  }
  static void set_bias(MatmulCall& call, void* bias) {
    call.key.bias = true;
    call.key.alignment_bias = alignment_of(bias);
    call.bias = bias;
  }
  static void set_before(MatmulCall& call, void* before) {
    call.key.before = true;
    call.key.alignment_before = alignment_of(before);
    call.before = before;
  }

  /// A product that brings along n sums, which an epilogue can only write: those to add to
  /// something go to memory of their own first. `separate(c, sums)` does both by passes.
  template <class T, class Separate>
  static void run_with_bias_gradient(MatmulCall& call, Index n, T* bias_gradient, bool add,
                                     const Separate& separate) {
    add = add && bias_gradient != nullptr;
    Tensor<T, typename Queue::Device> sums;
    if (add) sums = Tensor<T, typename Queue::Device>(Shape{n});
    T* const written = add ? sums.data() : bias_gradient;
    if (written != nullptr) set_bias(call, written);
    const BiasGradient to{bias_gradient, static_cast<std::size_t>(n) * sizeof(T), add};
    Plans::shared().run(call, to, [&](bool fused, void* c, void* total) {
      if (!fused)
        separate(static_cast<T*>(c), static_cast<T*>(total));
      else if (add)
        Passes::for_each_element(n, AddTo(), InOut<T>{static_cast<T*>(total)}, In<T>{written});
    });
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
