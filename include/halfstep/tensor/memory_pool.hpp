#pragma once

#include <halfstep/tensor/system_memory.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>

namespace halfstep::inline HALFSTEP_ABI {

/// What a pool has handed out.
struct MemoryUse {
  std::size_t in_use = 0;           ///< bytes in live blocks, as they were asked for
  std::size_t peak = 0;             ///< the largest `in_use` since the last `reset_peak`
  std::size_t system_requests = 0;  ///< how often the system was asked for more
};

/// A cache of memory blocks: a freed block waits for the next request of its size class, so that a
/// training step in steady state asks the system for nothing. Safe to use from many threads.
///
/// Size classes are an eighth of a power of two apart: at most an eighth is wasted.
template <void* (*Allocate)(std::size_t), void (*Free)(void*)>
class MemoryPool {
 public:
  /// What stands before each block's bytes. It is as long as a cache line, to keep them aligned.
  struct alignas(64) Block {
    std::atomic<std::uint32_t> owners{1};
    std::uint32_t size_class = 0;
    std::size_t bytes = 0;
    Block* next = nullptr;
    void* memory() { return this + 1; }
  };

  /// @throws BackendError  out of memory, after the cache was given back
  Block* allocate(std::size_t bytes) {
    const std::uint32_t size_class = class_of(bytes + sizeof(Block));
    Block* block = nullptr;
    {
      const std::lock_guard lock(mutex_);
      use_.in_use += bytes;
      use_.peak = std::max(use_.peak, use_.in_use);
      Block*& head = free_[size_class];
      if (head != nullptr) {
        block = head;
        head = block->next;
      } else {
        ++use_.system_requests;
      }
    }
    if (block == nullptr) block = new_block(size_class, bytes);
    block->owners.store(1, std::memory_order_relaxed);
    block->bytes = bytes;
    return block;
  }

  void release(Block* block) {
    const std::lock_guard lock(mutex_);
    use_.in_use -= block->bytes;
    block->next = free_[block->size_class];
    free_[block->size_class] = block;
  }

  /// Gives every cached block back to the system.
  void trim() {
    const std::lock_guard lock(mutex_);
    for (Block*& head : free_)
      while (head != nullptr) {
        Block* next = head->next;
        head->~Block();
        Free(head);
        head = next;
      }
  }

  MemoryUse use() const {
    const std::lock_guard lock(mutex_);
    return use_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    use_.peak = use_.in_use;
  }

 private:
  static constexpr std::uint32_t steps = 8;

  static std::uint32_t class_of(std::size_t bytes) {
    const auto exponent = static_cast<std::uint32_t>(std::bit_width(bytes - 1));
    if (exponent <= 7) return 0;  // up to 128 bytes
    const std::size_t step = std::size_t{1} << (exponent - 4);
    const std::size_t above = bytes - (std::size_t{1} << (exponent - 1));
    return (exponent - 8) * steps + static_cast<std::uint32_t>((above + step - 1) / step);
  }
  static std::size_t bytes_of(std::uint32_t size_class) {
    if (size_class == 0) return 128;
    const std::uint32_t exponent = (size_class - 1) / steps + 8;
    const std::size_t step = std::size_t{1} << (exponent - 4);
    return (std::size_t{1} << (exponent - 1)) + ((size_class - 1) % steps + 1) * step;
  }

  Block* new_block(std::uint32_t size_class, std::size_t bytes) {
    void* memory = nullptr;
    try {
      memory = Allocate(bytes_of(size_class));
    } catch (const BackendError&) {
      trim();
      try {
        memory = Allocate(bytes_of(size_class));
      } catch (...) {
        const std::lock_guard lock(mutex_);
        use_.in_use -= bytes;
        throw;
      }
    }
    Block* block = new (memory) Block;
    block->size_class = size_class;
    return block;
  }

  mutable std::mutex mutex_;
  std::array<Block*, 64 * steps> free_{};
  MemoryUse use_;
};

}  // namespace halfstep
