#pragma once

#include <halfstep/core/macros.hpp>

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// Work for a queue that is noted instead of begun, byte by byte, so that two steps can be
/// compared: the same operations on the same addresses with the same attributes are the same bytes.
///
/// @tparam Stream  what a command is called with to begin its work
template <class Stream>
class Recording {
 public:
  /// Notes a command: a trivially copyable functor, and bytes of the host that it reads.
  /// `command(stream, payload)` begins its work; `payload` has the bytes.
  template <class Command>
  void add(const Command& command, std::span<const std::byte> payload = {}) {
    static_assert(std::is_trivially_copyable_v<Command>,
                  "halfstep: a command is noted byte by byte; give it plain members");
    static_assert(alignof(Command) <= alignment && sizeof(Head) % alignment == 0);
    const std::size_t begin = bytes_.size();
    const std::size_t body = sizeof(Head) + padded(sizeof(Command));
    // New bytes are zero: the gaps are equal in equal recordings.
    bytes_.resize(begin + (body + padded(payload.size())) / sizeof(Unit));
    std::byte* const at = address(begin);
    Head head{&begin_work<Command>, sizeof(Command), payload.size()};
    std::memcpy(at, &head, sizeof(head));
    auto* const noted = ::new (static_cast<void*>(at + sizeof(Head))) Command(command);
    clear_padding(noted);
    if (!payload.empty()) std::memcpy(at + body, payload.data(), payload.size());
  }

  /// Begins the work of every command, in order.
  void run(Stream stream) const {
    for (std::size_t at = 0; at < bytes_.size();) {
      const std::byte* const start = address(at);
      Head head;
      std::memcpy(&head, start, sizeof(head));
      const std::size_t body = sizeof(Head) + padded(head.command);
      head.begin(start + sizeof(Head), stream, {start + body, head.payload});
      at += (body + padded(head.payload)) / sizeof(Unit);
    }
  }
  /// Begins one command's work.
  template <class Command>
  static void begin(const Command& command, Stream stream, std::span<const std::byte> payload) {
    if constexpr (std::is_invocable_v<const Command&, Stream, std::span<const std::byte>>)
      command(stream, payload);
    else
      command(stream);
  }
  void clear() { bytes_.clear(); }

  friend bool operator==(const Recording& a, const Recording& b) {
    if (a.bytes_.size() != b.bytes_.size()) return false;
    return a.bytes_.empty() ||
           std::memcmp(a.bytes_.data(), b.bytes_.data(), a.bytes_.size() * sizeof(Unit)) == 0;
  }

 private:
  static constexpr std::size_t alignment = 16;
  struct alignas(alignment) Unit {
    std::byte of[alignment];
  };
  struct alignas(alignment) Head {
    void (*begin)(const std::byte* command, Stream stream, std::span<const std::byte> payload);
    std::size_t command;
    std::size_t payload;
    std::size_t unused = 0;
  };

  static constexpr std::size_t padded(std::size_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  }
  std::byte* address(std::size_t unit) {
    return reinterpret_cast<std::byte*>(bytes_.data() + unit);
  }
  const std::byte* address(std::size_t unit) const {
    return reinterpret_cast<const std::byte*>(bytes_.data() + unit);
  }
  template <class Command>
  static void begin_work(const std::byte* command, Stream stream,
                         std::span<const std::byte> payload) {
    begin(*std::launder(reinterpret_cast<const Command*>(command)), stream, payload);
  }
  /// What lies between members is whatever was on the stack, and would make equal steps differ.
  template <class Command>
  static void clear_padding([[maybe_unused]] Command* command) {
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
    __builtin_clear_padding(command);
#endif
#endif
  }

  std::vector<Unit> bytes_;
};

/// A queue's door: commands begin at once, or are noted while the thread records.
template <class Stream>
struct Enqueue {
  /// Who notes a thread's commands.
  struct Recorder {
    virtual ~Recorder() = default;
    virtual Recording<Stream>& recording() = 0;
    /// Begins what was noted: from now on the recording is of a part of the step alone.
    virtual void begin_early() = 0;
  };
  /// The thread's recorder; null where there is none.
  static Recorder*& recorder() {
    static thread_local Recorder* recorder = nullptr;
    return recorder;
  }
  template <class Command>
  static void run(const Command& command, Stream stream, std::span<const std::byte> payload = {}) {
    if (recorder() != nullptr)
      recorder()->recording().add(command, payload);
    else
      Recording<Stream>::begin(command, stream, payload);
  }

  /// While it lives, the thread's commands begin at once, after those that were noted before it:
  /// for a race of the ways to do something, which must run what it measures.
  class AtOnce {
   public:
    AtOnce() : recorder_(std::exchange(recorder(), nullptr)) {
      if (recorder_ != nullptr) recorder_->begin_early();
    }
    ~AtOnce() { recorder() = recorder_; }
    AtOnce(const AtOnce&) = delete;
    AtOnce& operator=(const AtOnce&) = delete;

   private:
    Recorder* recorder_;
  };
};

}  // namespace halfstep
