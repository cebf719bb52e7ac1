#pragma once

#include <halfstep/backend/cpu/convolution.hpp>
#include <halfstep/backend/one_dnn/convolution_plan.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn {

/// A pass of a convolution by oneDNN's primitive, into `result`, which is one of x, weight and y.
/// @return  whether there is a good one; nothing was computed where there is not
template <class In, class Out>
bool run_convolution(const ConvolutionProblem& p, ConvolutionPass pass, const void* x,
                     const void* weight, const void* y, const In* bias) {
  const ConvolutionKey key{p, pass, data_type<In>, data_type<Out>, bias != nullptr, threads()};
  auto& cache = PlanCache<ConvolutionPlan>::of_this_thread();
  ConvolutionPlan& plan = cache.plan(key);
  if (plan.serves()) cache.run(plan, x, weight, y, static_cast<const void*>(bias));
  return plan.serves();
}

/// The convolutions of a backend by oneDNN where it is good at them, else by products of windows.
///
/// @tparam Products  a backend with a product of floats
/// @tparam S         float, or bfloat16 on a processor that multiplies it
template <class Products, class S>
struct Convolution {
  static void forward(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias, S* y,
                      bool accumulate) {
    const auto pass = ConvolutionPass::forward;
    cpu::tell_vendor_libraries();
    bool done = false;
    if (!accumulate) {
      done = run_convolution<S, S>(p, pass, x, weight, y, bias);
    } else {
      cpu::SumsFor<float, S> sums(p.y_size(), y, accumulate);
      done = run_convolution<S, float>(p, pass, x, weight, sums.data(), bias);
      if (done) sums.finish();
    }
    if (!done) cpu::convolve<Products>(p, x, weight, bias, y, accumulate);
  }

  static void transposed(const ConvolutionProblem& p, const S* y, const S* weight, const S* bias,
                         S* x, bool accumulate) {
    const auto pass = ConvolutionPass::data;
    cpu::tell_vendor_libraries();
    bool done = false;
    if (bias == nullptr && !accumulate) {
      done = run_convolution<S, S>(p, pass, x, weight, y, bias);
    } else if (bias == nullptr) {
      cpu::SumsFor<float, S> sums(p.x_size(), x, accumulate);
      done = run_convolution<S, float>(p, pass, sums.data(), weight, y, bias);
      if (done) sums.finish();
    }
    if (!done) cpu::convolve_transposed<Products>(p, y, weight, bias, x, accumulate);
  }

  static void weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                     bool accumulate) {
    const S* const no_bias = nullptr;
    cpu::tell_vendor_libraries();
    cpu::SumsFor<float, S> sums(p.weight_size(), weight, accumulate);
    if (run_convolution<S, float>(p, ConvolutionPass::weight, x, sums.data(), y, no_bias))
      sums.finish();
    else
      cpu::convolve_weight<Products>(p, x, y, weight, accumulate);
  }
};

}  // namespace halfstep
