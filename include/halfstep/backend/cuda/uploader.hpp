#pragma once

#include <halfstep/core/macros.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// Uploads through pinned host memory, on a stream of its own beside the backend's: into slots,
/// each with its host memory. Who fills the host memory may be another thread than who uses the
/// slots; `acquire` and `release` stand outside of a step that is captured as a graph.
///
/// @tparam Runtime  static functions over its Stream and Event: `create_stream()`,
///                  `create_event()`, `std::byte* allocate_pinned(bytes)`, `destroy` of each;
///                  `compute()`, the backend's stream; `record(event, stream)`; `wait(stream,
///                  event)`, which the device does, for what was recorded last, if anything;
///                  `wait_on_host(event)`; `copy(stream, from, to, bytes)`, which is asked for;
///                  `finish(stream)`, which waits; it and `destroy` do not throw
template <class Runtime>
class Uploader {
 public:
  /// @param bytes  of host memory for each slot
  /// @throws BackendError  there is no GPU, or no memory that can be pinned
  Uploader(std::size_t slots, std::size_t bytes) {
    for (std::size_t i = 0; i < slots; ++i)
      slots_.push_back({Owned<std::byte>(Runtime::allocate_pinned(bytes)),
                        Owned<typename Runtime::Event>(Runtime::create_event()),
                        Owned<typename Runtime::Event>(Runtime::create_event())});
  }
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;
  /// Waits until no upload is going on.
  ~Uploader() { Runtime::finish(stream_.get()); }

  /// The slot's host memory, to be written. Waits until the last upload has read it.
  std::byte* staging(std::size_t slot) {
    Runtime::wait_on_host(slots_[slot].uploaded.get());
    return slots_[slot].staging.get();
  }
  /// Copies a part of the slot's host memory to the device, where those who had the slot until its
  /// `release` are done. Waits for nothing, as all that follows.
  template <class T>
  void upload(std::size_t slot, std::span<const T> from, T* to) {
    Runtime::wait(stream_.get(), slots_[slot].released.get());
    Runtime::copy(stream_.get(), from.data(), to, from.size_bytes());
    Runtime::record(slots_[slot].uploaded.get(), stream_.get());
  }
  /// What the backend is asked for from now on comes after the slot's uploads.
  void acquire(std::size_t slot) { Runtime::wait(Runtime::compute(), slots_[slot].uploaded.get()); }
  /// The slot's next uploads come after what the backend was asked for until now.
  void release(std::size_t slot) {
    Runtime::record(slots_[slot].released.get(), Runtime::compute());
  }

 private:
  struct Destroy {
    template <class T>
    void operator()(T* owned) const {
      Runtime::destroy(owned);
    }
  };
  template <class T>
  using Owned = std::unique_ptr<T, Destroy>;
  struct Slot {
    Owned<std::byte> staging;
    Owned<typename Runtime::Event> released;
    Owned<typename Runtime::Event> uploaded;
  };

  Owned<typename Runtime::Stream> stream_{Runtime::create_stream()};
  std::vector<Slot> slots_;
};

}  // namespace halfstep
