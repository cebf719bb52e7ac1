#pragma once

#include <halfstep/backend/cuda/convolution.hpp>
#include <halfstep/backend/cuda/cudnn_library.hpp>
#include <halfstep/backend/cuda/library.hpp>

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// cuDNN's description of one pass of a convolution. Its functions of fixed signature ("legacy")
/// are used: they take every problem of ours, FP32, FP16 and BF16 with sums in FP32, channels first
/// or last, groups and dilation, and add to what is there.
class ConvolutionPlan {
 public:
  using Key = ConvolutionKey;

  explicit ConvolutionPlan(const Key& key) : key_(key) {
    const ConvolutionProblem& p = key.problem;
    const bool last = p.layout == ImageLayout::channels_last;
    x_ = images(p.channels, p.input);
    y_ = images(p.filters, p.output);
    bias_ = tensor({1, key.pass == ConvolutionPass::data ? p.channels : p.filters, 1, 1},
                   ImageStrides(p.layout, p.filters, 1));
    cudnnFilterDescriptor_t weight = nullptr;
    check(cudnnCreateFilterDescriptor(&weight), "cudnnCreateFilterDescriptor");
    weight_.reset(weight);
    check(cudnnSetFilter4dDescriptor(weight, type(), last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW,
                                     number(p.filters), number(p.channels / p.groups),
                                     number(p.kernel.height), number(p.kernel.width)),
          "cudnnSetFilter4dDescriptor");
    cudnnConvolutionDescriptor_t convolution = nullptr;
    check(cudnnCreateConvolutionDescriptor(&convolution), "cudnnCreateConvolutionDescriptor");
    convolution_.reset(convolution);
    check(cudnnSetConvolution2dDescriptor(
              convolution, number(p.padding.height), number(p.padding.width),
              number(p.stride.height), number(p.stride.width), number(p.dilation.height),
              number(p.dilation.width), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "cudnnSetConvolution2dDescriptor");
    check(cudnnSetConvolutionGroupCount(convolution, number(p.groups)),
          "cudnnSetConvolutionGroupCount");
    cudnnActivationDescriptor_t identity = nullptr;
    check(cudnnCreateActivationDescriptor(&identity), "cudnnCreateActivationDescriptor");
    identity_.reset(identity);
    check(cudnnSetActivationDescriptor(identity, CUDNN_ACTIVATION_IDENTITY, CUDNN_PROPAGATE_NAN, 0),
          "cudnnSetActivationDescriptor");
  }

  /// The extents of y, [batch, filters, height, width], as cuDNN counts its windows.
  Shape output() const {
    int n = 0, c = 0, h = 0, w = 0;
    check(cudnnGetConvolution2dForwardOutputDim(convolution_.get(), x_.get(), weight_.get(), &n, &c,
                                                &h, &w),
          "cudnnGetConvolution2dForwardOutputDim");
    return {n, c, h, w};
  }

  /// The algorithms that have a chance, as cuDNN's heuristics order them: those that sum products
  /// of windows in an order of their own, the same in every run. FFT's and Winograd's err by more
  /// than the bound of such sums, and are not exact for integers.
  std::vector<ConvolutionAlgorithm> algorithms() const {
    std::vector<ConvolutionAlgorithm> all;
    if (key_.storage != ConvolutionStorage::float32) {
      ask(CUDNN_TENSOR_OP_MATH, all);
      ask(CUDNN_DEFAULT_MATH, all);
    } else {
      // The default of FP32 is TF32 from Ampere on.
      ask(key_.tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH, all);
    }
    if (!key_.bias || key_.pass != ConvolutionPass::forward) return all;
    // Last, what adds the bias in the same pass: only a race shows whether it does.
    for (std::size_t i = 0, count = all.size(); i < count; ++i)
      if (all[i].number == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
        all.push_back(all[i]);
        all.back().adds_bias = true;
      }
    return all;
  }

  void run(const ConvolutionAlgorithm& algorithm, const ConvolutionArrays& arrays,
           void* workspace) const {
    set_math(static_cast<cudnnMathType_t>(algorithm.math));
    const cudnnHandle_t handle = CudnnLibrary::shared().handle();
    const float one = 1.0f, kept = arrays.accumulate ? 1.0f : 0.0f;
    const std::size_t bytes = algorithm.workspace_bytes;
    const auto forward = static_cast<cudnnConvolutionFwdAlgo_t>(algorithm.number);
    if (algorithm.adds_bias)
      // The activation is none: cuDNN's ReLU may turn NaN into 0, and hide it from the loss scaler.
      return check(
          cudnnConvolutionBiasActivationForward(
              handle, &one, x_.get(), arrays.x, weight_.get(), arrays.weight, convolution_.get(),
              forward, workspace, bytes, &kept, y_.get(), arrays.result, bias_.get(), arrays.bias,
              identity_.get(), y_.get(), arrays.result),
          "cudnnConvolutionBiasActivationForward");
    switch (key_.pass) {
      case ConvolutionPass::forward:
        return check(cudnnConvolutionForward(handle, &one, x_.get(), arrays.x, weight_.get(),
                                             arrays.weight, convolution_.get(), forward, workspace,
                                             bytes, &kept, y_.get(), arrays.result),
                     "cudnnConvolutionForward");
      case ConvolutionPass::data:
        return check(
            cudnnConvolutionBackwardData(
                handle, &one, weight_.get(), arrays.weight, y_.get(), arrays.y, convolution_.get(),
                static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm.number), workspace, bytes,
                &kept, x_.get(), arrays.result),
            "cudnnConvolutionBackwardData");
      case ConvolutionPass::weight:
        return check(cudnnConvolutionBackwardFilter(
                         handle, &one, x_.get(), arrays.x, y_.get(), arrays.y, convolution_.get(),
                         static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm.number), workspace,
                         bytes, &kept, weight_.get(), arrays.result),
                     "cudnnConvolutionBackwardFilter");
    }
  }

 private:
  using Descriptor = Owned<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor>;

  /// What an algorithm's workspace may take.
  static constexpr std::size_t most_workspace = std::size_t{256} << 20;

  static int number(Index extent) { return static_cast<int>(extent); }
  cudnnDataType_t type() const {
    switch (key_.storage) {
      case ConvolutionStorage::float16:
        return CUDNN_DATA_HALF;
      case ConvolutionStorage::bfloat16:
        return CUDNN_DATA_BFLOAT16;
      case ConvolutionStorage::float32:
        break;
    }
    return CUDNN_DATA_FLOAT;
  }
  void set_math(cudnnMathType_t math) const {
    check(cudnnSetConvolutionMathType(convolution_.get(), math), "cudnnSetConvolutionMathType");
  }
  Descriptor tensor(std::initializer_list<Index> extents, const ImageStrides& strides) const {
    const Index* const n = extents.begin();
    cudnnTensorDescriptor_t created = nullptr;
    check(cudnnCreateTensorDescriptor(&created), "cudnnCreateTensorDescriptor");
    Descriptor owned(created);
    check(cudnnSetTensor4dDescriptorEx(created, type(), number(n[0]), number(n[1]), number(n[2]),
                                       number(n[3]), number(strides.batch), number(strides.channel),
                                       number(strides.row), number(strides.column)),
          "cudnnSetTensor4dDescriptorEx");
    return owned;
  }
  Descriptor images(Index channels, const Extent2d& extent) const {
    const ConvolutionProblem& p = key_.problem;
    return tensor({p.batch, channels, extent.height, extent.width},
                  ImageStrides(p.layout, channels, extent));
  }

  /// Adds the algorithms whose products are made of `math`.
  void ask(cudnnMathType_t math, std::vector<ConvolutionAlgorithm>& all) const {
    set_math(math);
    switch (key_.pass) {
      case ConvolutionPass::forward:
        return ask<cudnnConvolutionFwdAlgoPerf_t>(
            math, all, cudnnGetConvolutionForwardAlgorithm_v7,
            {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
             CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
             CUDNN_CONVOLUTION_FWD_ALGO_DIRECT},
            x_.get(), weight_.get(), convolution_.get(), y_.get());
      case ConvolutionPass::data:
        return ask<cudnnConvolutionBwdDataAlgoPerf_t>(
            math, all, cudnnGetConvolutionBackwardDataAlgorithm_v7,
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1}, weight_.get(), y_.get(), convolution_.get(),
            x_.get());
      case ConvolutionPass::weight:
        return ask<cudnnConvolutionBwdFilterAlgoPerf_t>(
            math, all, cudnnGetConvolutionBackwardFilterAlgorithm_v7,
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1}, x_.get(), y_.get(), convolution_.get(),
            weight_.get());
    }
  }
  template <class Found, class Get, class... Descriptors>
  void ask(cudnnMathType_t math, std::vector<ConvolutionAlgorithm>& all, Get get,
           std::initializer_list<std::int32_t> plain, Descriptors... descriptors) const {
    constexpr int most = 32;
    Found found[most];
    int count = 0;
    const cudnnStatus_t status =
        get(CudnnLibrary::shared().handle(), descriptors..., most, &count, found);
    if (is_unsupported(status)) return;
    check(status, "cudnnGetConvolution*Algorithm_v7");
    for (int i = 0; i < count; ++i) {
      const Found& each = found[i];
      const auto algorithm = static_cast<std::int32_t>(each.algo);
      if (each.status != CUDNN_STATUS_SUCCESS || each.determinism != CUDNN_DETERMINISTIC) continue;
      if (each.memory > most_workspace || std::ranges::count(plain, algorithm) == 0) continue;
      // Operands would be rounded to FP16.
      if (each.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) continue;
      // What was asked for in FP32 must not become TF32.
      const bool fma = math == CUDNN_FMA_MATH;
      const ConvolutionAlgorithm candidate{true, false, algorithm,
                                           fma ? CUDNN_FMA_MATH : each.mathType, each.memory};
      if (std::ranges::count(all, candidate) == 0) all.push_back(candidate);
    }
  }

  Key key_;
  Descriptor x_, y_, bias_;
  Owned<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor> weight_;
  Owned<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor> convolution_;
  Owned<cudnnActivationDescriptor_t, cudnnDestroyActivationDescriptor> identity_;
};

}  // namespace halfstep
