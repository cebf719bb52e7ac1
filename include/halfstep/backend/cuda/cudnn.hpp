#pragma once

#include <halfstep/backend/cuda/convolution_plan.hpp>
#include <halfstep/backend/cuda/matmul.hpp>

#include <string>
#include <unordered_map>

#if defined(__CUDACC__)
namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// A convolution as work for a stream: all that it needs, so that it can be noted and begun later.
struct ConvolutionCommand {
  ConvolutionKey key;
  ConvolutionAlgorithm algorithm;
  ConvolutionArrays arrays;
  void* workspace;

  void operator()(cudaStream_t stream) const;
};

/// cuDNN as the library of LibraryConvolutions.
struct Cudnn {
  static std::vector<ConvolutionAlgorithm> algorithms(const ConvolutionKey& key) {
    const std::lock_guard lock(CudnnLibrary::shared().mutex());
    return plan(key).algorithms();
  }

  static void enqueue(const ConvolutionKey& key, const ConvolutionAlgorithm& algorithm,
                      const ConvolutionArrays& arrays) {
    // It may be given back when it was asked for: whoever gets it comes later on the stream.
    Tensor<std::byte, device::Cuda> workspace;
    if (algorithm.workspace_bytes > 0)
      workspace =
          Tensor<std::byte, device::Cuda>(Shape{static_cast<Index>(algorithm.workspace_bytes)});
    Queue::enqueue(ConvolutionCommand{key, algorithm, arrays, workspace.data()});
  }

  template <class F>
  static double elapsed(const F& f) {
    return MatmulRuntime::elapsed(f);
  }
  static std::string machine() {
    return Library::machine() + ", cuDNN " + std::to_string(cudnnGetVersion());
  }
  using AtOnce = grid::Enqueue<cudaStream_t>::AtOnce;

 private:
  friend ConvolutionCommand;

  /// Descriptions of convolutions; whoever asks holds the library's mutex.
  static ConvolutionPlan& plan(const ConvolutionKey& key) {
    constexpr std::size_t largest = 4096;
    static auto* const plans =
        new std::unordered_map<ConvolutionKey, ConvolutionPlan, ConvolutionKey::Hash>;
    const auto found = plans->find(key);
    if (found != plans->end()) return found->second;
    // Shapes that never come back must not fill the memory.
    if (plans->size() >= largest) plans->clear();
    return plans->emplace(key, ConvolutionPlan(key)).first->second;
  }
};

inline void ConvolutionCommand::operator()(cudaStream_t stream) const {
  CudnnLibrary& library = CudnnLibrary::shared();
  const std::lock_guard lock(library.mutex());
  check(cudnnSetStream(library.handle(), stream), "cudnnSetStream");
  Cudnn::plan(key).run(algorithm, arrays, workspace);
}

}  // namespace halfstep
#endif
