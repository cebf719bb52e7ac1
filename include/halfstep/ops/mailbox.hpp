#pragma once

#include <halfstep/core/macros.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace halfstep::inline HALFSTEP_ABI {

/// A number in the host's memory that a device writes and the host reads meanwhile: what was sent
/// arrives when the device has come to it, and nobody waits. A backend that has such memory offers
/// `mailbox()`.
///
///   Mailbox mailbox = Backend::mailbox();
///   Backend::once(mailbox.delivery(from));  // a number on the device
///   mailbox.latest();                       // what has arrived, 0 before anything has
class Mailbox {
 public:
  using Memory = std::unique_ptr<std::int64_t, void (*)(std::int64_t*)>;

  /// Copies a number on the device, as it is then, to the host.
  struct Delivery {
    const std::int64_t* from;
    std::int64_t* to;
    HALFSTEP_HOST_DEVICE void operator()() const {
      // One store of eight bytes, which nobody sees half done.
      *static_cast<volatile std::int64_t*>(to) = *from;
    }
  };

  /// @param memory  eight aligned bytes that the device can write; given back when the device is
  ///                done with them
  explicit Mailbox(Memory memory) : memory_(std::move(memory)) { *memory_ = 0; }

  /// For the backend's `once`.
  Delivery delivery(const std::int64_t* from) const { return {from, memory_.get()}; }
  std::int64_t latest() const {
    return std::atomic_ref<std::int64_t>(*memory_).load(std::memory_order_relaxed);
  }

 private:
  Memory memory_;
};

}  // namespace halfstep
