#pragma once

#include <halfstep/backend/cuda/stream.hpp>
#include <halfstep/ops/mailbox.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// A mailbox in pinned memory, into which kernels write. It waits for the GPU when it ends: work
/// that was asked for may still write.
inline Mailbox mailbox() {
  static_cast<void>(Stream::shared());  // says what is wrong, where no GPU is
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, sizeof(std::int64_t), cudaHostAllocMapped), "cudaHostAlloc");
  return Mailbox({::new (memory) std::int64_t{0}, [](std::int64_t* address) {
                    ++synchronizations();
                    static_cast<void>(cudaStreamSynchronize(Stream::shared().get()));
                    static_cast<void>(cudaFreeHost(address));
                  }});
}

}  // namespace halfstep
