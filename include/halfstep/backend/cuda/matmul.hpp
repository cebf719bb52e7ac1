#pragma once

#include <halfstep/backend/cuda/architecture.hpp>
#include <halfstep/backend/cuda/matmul_description.hpp>
#include <halfstep/backend/cuda/matmul_plans.hpp>
#include <halfstep/tensor/tensor.hpp>

#if defined(__CUDACC__)
namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// One product, as it is put into a stream: plain data, which can be kept and put there again.
struct MatmulCommand {
  MatmulCall call;
  MatmulAlgorithm algorithm;

  cublasStatus_t try_on(cudaStream_t stream) const {
    return MatmulDescriptions::with(call.key, [&](MatmulDescription& description) {
      return description.run(call, algorithm, stream);
    });
  }
  void operator()(cudaStream_t stream) const { check(try_on(stream), "cublasLtMatmul"); }
};
static_assert(std::is_trivially_copyable_v<MatmulCommand>);

/// A time on the GPU: what it records when the stream gets there.
class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  /// Milliseconds since another event. Waits for this one.
  double since(const Event& start) const {
    ++synchronizations();
    check(cudaEventSynchronize(event_), "cudaEventSynchronize");
    float milliseconds = 0.0f;
    check(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// What MatmulPlans runs on: cuBLASLt, on the process's stream.
struct MatmulRuntime {
  static std::vector<MatmulAlgorithm> candidates(const MatmulKey& key) {
    return MatmulDescriptions::with(
        key, [&](MatmulDescription& description) { return description.candidates(key); });
  }
  static bool accepts(const MatmulKey& key, const MatmulAlgorithm& algorithm) {
    return MatmulDescriptions::with(
        key, [&](MatmulDescription& description) { return description.accepts(key, algorithm); });
  }
  static void multiply(const MatmulCall& call, const MatmulAlgorithm& algorithm) {
    Queue::enqueue(MatmulCommand{call, algorithm});
  }
  static bool try_multiply(const MatmulCall& call, const MatmulAlgorithm& algorithm) {
    if (MatmulCommand{call, algorithm}.try_on(Stream::shared().get()) == CUBLAS_STATUS_SUCCESS)
      return true;
    static_cast<void>(cudaGetLastError());  // the next call must not find it
    return false;
  }
  class Race {
   public:
    /// @throws BackendError  the stream is being captured: a graph must hold no race
    Race() {
      cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
      check(cudaStreamIsCapturing(Stream::shared().get(), &status), "cudaStreamIsCapturing");
      if (status != cudaStreamCaptureStatusNone)
        fail<BackendError>(
            "a product of a new shape needs a race of cuBLASLt's algorithms, and a stream that is ",
            "being captured cannot run one: run the step once before it is captured, or with ",
            "backend::DeterministicScope");
    }

   private:
    grid::Enqueue<cudaStream_t>::AtOnce at_once_;
  };
  template <class F>
  static double elapsed(const F& f) {
    Event start, stop;
    start.record(Stream::shared().get());
    f();
    stop.record(Stream::shared().get());
    return stop.since(start);
  }
  static Tensor<unsigned char, device::Cuda> scratch(std::size_t bytes) {
    Tensor<unsigned char, device::Cuda> memory;
    if (bytes == 0) return memory;
    memory = Tensor<unsigned char, device::Cuda>(Shape{static_cast<Index>(bytes)});
    Queue::clear(memory.size(), memory.data());
    return memory;
  }
  /// @throws PrecisionError  BF16 or TF32 on a GPU that is older than Ampere
  static void require(MatmulNumber number, MatmulSum sum) {
    if (number == MatmulNumber::bfloat16) require_architecture<bfloat16, float>();
    if (sum == MatmulSum::tf32) require_architecture<float, tf32>();
  }
  static std::string machine() { return Library::machine(); }
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
#endif
