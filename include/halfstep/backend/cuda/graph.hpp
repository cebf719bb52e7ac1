#pragma once

#include <halfstep/backend/cuda/stream.hpp>
#include <halfstep/backend/grid/recording.hpp>

#include <cuda_runtime_api.h>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// A CUDA graph of recorded work: one launch for all of it.
class Graph {
 public:
  /// Captures the recording's work on a stream of its own, so that other threads' work goes on.
  /// @param recording  outlives the graph, whose copies from the host read it
  /// @throws BackendError  something in it cannot be captured; nothing of it has begun
  explicit Graph(const grid::Recording<cudaStream_t>& recording) {
    const OwnStream capture;
    check(cudaStreamBeginCapture(capture.get(), cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    try {
      recording.run(capture.get());
    } catch (...) {
      static_cast<void>(cudaStreamEndCapture(capture.get(), &graph));
      if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
      static_cast<void>(cudaGetLastError());
      throw;
    }
    check(cudaStreamEndCapture(capture.get(), &graph), "cudaStreamEndCapture");
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    check(status, "cudaGraphInstantiate");
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  /// A launch that still runs is waited for by the driver.
  ~Graph() { static_cast<void>(cudaGraphExecDestroy(executable_)); }

  void launch() const {
    check(cudaGraphLaunch(executable_, Stream::shared().get()), "cudaGraphLaunch");
  }

 private:
  struct OwnStream {
    OwnStream() {
      check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    }
    OwnStream(const OwnStream&) = delete;
    OwnStream& operator=(const OwnStream&) = delete;
    ~OwnStream() { static_cast<void>(cudaStreamDestroy(stream)); }
    cudaStream_t get() const { return stream; }
    cudaStream_t stream = nullptr;
  };

  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace halfstep
