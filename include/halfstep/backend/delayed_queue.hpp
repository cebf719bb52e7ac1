#pragma once

#include <halfstep/tensor/device.hpp>
#include <halfstep/tensor/system_memory.hpp>

#include <atomic>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// A queue whose work is done late, and memory that only that work may touch: what a GPU's stream
/// is, without a GPU. The memory is closed to the whole process while the queue does not run, so
/// that host code that would race on a GPU crashes here; new and freed memory is filled with NaN.
class DelayedQueue {
 public:
  /// Never destroyed: tensors with static storage may outlive everything else.
  static DelayedQueue& shared() {
    static DelayedQueue* const queue = new DelayedQueue;
    return *queue;
  }

  void add(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    pending_.push_back(std::move(work));
    // A device gets on with its work unasked; here, seldom.
    if (pending_.size() >= most_pending) run();
  }
  /// Does everything that was asked for; rethrows the first error of it.
  void synchronize() {
    const std::lock_guard lock(mutex_);
    ++synchronizations_;
    run();
  }
  /// How often the host has waited.
  std::size_t synchronizations() const { return synchronizations_; }

  /// Memory that holds NaN when the queue comes to this point.
  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = rounded(bytes);
    std::vector<void*>& free = free_[size];
    void* memory = nullptr;
    if (!free.empty()) {
      memory = free.back();
      free.pop_back();
    } else {
      if (used_ + size > arena_bytes)
        fail<BackendError>("the test device has ", arena_bytes, " bytes of memory, and ", bytes,
                           " more were asked for; use a smaller model");
      memory = arena_ + used_;
      used_ += size;
    }
    pending_.push_back([memory, size] { std::memset(memory, poison, size); });
    return memory;
  }
  /// Gives memory back when the queue comes to this point: earlier work still has it.
  void free(void* memory, std::size_t bytes) {
    add([this, memory, size = rounded(bytes)] {
      std::memset(memory, poison, size);
      free_[size].push_back(memory);
    });
  }
  bool owns(const void* address) const {
    const std::less<const void*> before;
    return !before(address, arena_) && before(address, arena_ + arena_bytes);
  }

 private:
  static constexpr std::size_t arena_bytes = std::size_t{4} << 30;  // of address space
  static constexpr std::size_t most_pending = 4096;
  static constexpr int poison = 0xFF;  // NaN in every storage type

  static std::size_t rounded(std::size_t bytes) { return (bytes + 64) / 64 * 64; }

  void run() {
    std::vector<std::function<void()>> work;
    work.swap(pending_);
    open_memory(arena_, arena_bytes, true);
    std::exception_ptr error;
    for (const auto& each : work) try {
        each();
      } catch (...) {
        if (!error) error = std::current_exception();
      }
    open_memory(arena_, arena_bytes, false);
    if (error) std::rethrow_exception(error);
  }

  // Recursive: work that is done may hold the last handle of a tensor.
  std::recursive_mutex mutex_;
  std::vector<std::function<void()>> pending_;
  std::atomic<std::size_t> synchronizations_{0};
  char* const arena_ = static_cast<char*>(reserve_closed_memory(arena_bytes));
  std::size_t used_ = 0;
  std::map<std::size_t, std::vector<void*>> free_;
};

}  // namespace backend

namespace device {

/// The memory of a `DelayedQueue`.
struct Delayed {
  static constexpr std::string_view name = "delayed";
  static constexpr bool host_accessible = false;

  class Pool {
   public:
    struct Block {
      std::atomic<std::uint32_t> owners{1};
      std::size_t bytes = 0;
      void* start = nullptr;
      void* memory() { return start; }
    };
    Block* allocate(std::size_t bytes) {
      Block* block = new Block;
      block->bytes = bytes;
      block->start = backend::DelayedQueue::shared().allocate(bytes);
      const std::lock_guard lock(mutex_);
      use_.in_use += bytes;
      use_.peak = std::max(use_.peak, use_.in_use);
      ++use_.system_requests;
      return block;
    }
    void release(Block* block) {
      {
        const std::lock_guard lock(mutex_);
        use_.in_use -= block->bytes;
      }
      backend::DelayedQueue::shared().free(block->start, block->bytes);
      delete block;
    }
    void trim() {}
    MemoryUse use() const {
      const std::lock_guard lock(mutex_);
      return use_;
    }
    void reset_peak() {
      const std::lock_guard lock(mutex_);
      use_.peak = use_.in_use;
    }

   private:
    mutable std::mutex mutex_;
    MemoryUse use_;
  };

  static Pool& pool() {
    static Pool* const pool = new Pool;
    return *pool;
  }
};

}  // namespace device
}  // namespace halfstep
