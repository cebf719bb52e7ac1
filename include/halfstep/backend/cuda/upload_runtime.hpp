#pragma once

#include <halfstep/backend/cuda/stream.hpp>

#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// CUDA's runtime as Uploader wants it.
struct UploadRuntime {
  using Stream = std::remove_pointer_t<cudaStream_t>;
  using Event = std::remove_pointer_t<cudaEvent_t>;

  static Stream* compute() { return cuda::Stream::shared().get(); }
  static Stream* create_stream() {
    static_cast<void>(compute());  // says what is wrong, where no GPU is
    Stream* stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return stream;
  }
  static Event* create_event() {
    Event* event = nullptr;
    // A thread that waits sleeps meanwhile: it must not take a core from the one that trains.
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync),
          "cudaEventCreateWithFlags");
    return event;
  }
  static std::byte* allocate_pinned(std::size_t bytes) {
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "cudaHostAlloc");
    return static_cast<std::byte*>(memory);
  }
  static void record(Event* event, Stream* stream) {
    check(cudaEventRecord(event, stream), "cudaEventRecord");
  }
  static void wait(Stream* stream, Event* event) {
    check(cudaStreamWaitEvent(stream, event, 0), "cudaStreamWaitEvent");
  }
  static void wait_on_host(Event* event) {
    check(cudaEventSynchronize(event), "cudaEventSynchronize");
  }
  static void copy(Stream* stream, const void* from, void* to, std::size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream),
          "cudaMemcpyAsync of a batch");
  }
  // An error here was thrown by an earlier call, or will be by the next one.
  static void finish(Stream* stream) { static_cast<void>(cudaStreamSynchronize(stream)); }
  static void destroy(Stream* stream) { static_cast<void>(cudaStreamDestroy(stream)); }
  static void destroy(Event* event) { static_cast<void>(cudaEventDestroy(event)); }
  static void destroy(std::byte* memory) { static_cast<void>(cudaFreeHost(memory)); }
};

}  // namespace halfstep
