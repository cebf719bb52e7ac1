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

  /// The algorithms that have a chance, as cuDNN's heuristics order them: those that sum products
  /// of windows in an order of their own, the same in every run. FFT's and Winograd's err by more
  /// than the bound of such sums, and are not exact for integers.
  std::vector<ConvolutionAlgorithm> algorithms() const {
    set_math(asked_math());
    switch (key_.pass) {
      case ConvolutionPass::forward:
        return with_bias(ask<cudnnConvolutionFwdAlgoPerf_t>(
            cudnnGetConvolutionForwardAlgorithm_v7, "cudnnGetConvolutionForwardAlgorithm_v7",
            {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
             CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
             CUDNN_CONVOLUTION_FWD_ALGO_DIRECT},
            x_.get(), weight_.get(), convolution_.get(), y_.get()));
      case ConvolutionPass::data:
        return ask<cudnnConvolutionBwdDataAlgoPerf_t>(
            cudnnGetConvolutionBackwardDataAlgorithm_v7,
            "cudnnGetConvolutionBackwardDataAlgorithm_v7", {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1},
            weight_.get(), y_.get(), convolution_.get(), x_.get());
      case ConvolutionPass::weight:
        return ask<cudnnConvolutionBwdFilterAlgoPerf_t>(
            cudnnGetConvolutionBackwardFilterAlgorithm_v7,
            "cudnnGetConvolutionBackwardFilterAlgorithm_v7", {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1},
            x_.get(), y_.get(), convolution_.get(), weight_.get());
    }
    return {};
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
  /// What products may be made of. The default of FP32 is TF32 from Ampere on.
  cudnnMathType_t asked_math() const {
    if (key_.storage != ConvolutionStorage::float32) return CUDNN_TENSOR_OP_MATH;
    return key_.tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
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

  template <class Found, class Get, class... Descriptors>
  std::vector<ConvolutionAlgorithm> ask(Get get, const char* call,
                                        std::initializer_list<std::int32_t> plain,
                                        Descriptors... descriptors) const {
    constexpr int most = 32;
    Found found[most];
    int count = 0;
    const cudnnStatus_t status =
        get(CudnnLibrary::shared().handle(), descriptors..., most, &count, found);
    if (is_unsupported(status)) return {};
    check(status, call);
    std::vector<ConvolutionAlgorithm> algorithms;
    for (int i = 0; i < count; ++i) {
      const Found& each = found[i];
      const auto algorithm = static_cast<std::int32_t>(each.algo);
      if (each.status != CUDNN_STATUS_SUCCESS || each.determinism != CUDNN_DETERMINISTIC) continue;
      if (each.memory > most_workspace || std::ranges::count(plain, algorithm) == 0) continue;
      // Operands would be rounded to FP16.
      if (each.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) continue;
      const bool fma = asked_math() == CUDNN_FMA_MATH;
      const ConvolutionAlgorithm candidate{true, false, algorithm,
                                           fma ? CUDNN_FMA_MATH : each.mathType, each.memory};
      if (std::ranges::count(algorithms, candidate) == 0) algorithms.push_back(candidate);
    }
    return algorithms;
  }
  /// The algorithms, and then those that can add a bias in the same pass, doing so.
  std::vector<ConvolutionAlgorithm> with_bias(std::vector<ConvolutionAlgorithm> algorithms) const {
    if (!key_.bias) return algorithms;
    for (std::size_t i = 0, count = algorithms.size(); i < count; ++i)
      if (algorithms[i].number == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
        algorithms.push_back(algorithms[i]);
        algorithms.back().adds_bias = true;
      }
    return algorithms;
  }

  Key key_;
  Descriptor x_, y_, bias_;
  Owned<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor> weight_;
  Owned<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor> convolution_;
  Owned<cudnnActivationDescriptor_t, cudnnDestroyActivationDescriptor> identity_;
};

}  // namespace halfstep
