#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/tensor/memory_pool.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// A cache of a GPU's memory in the order of one stream: a block that was given back serves the
/// next request of its size, whose work comes after that of its last owner on the same stream. A
/// training step in steady state asks the runtime for nothing. Safe to use from many threads.
///
/// Of the blocks that would do, the one with the lowest address is taken: a step that finds the
/// same blocks free as the step before gets the same addresses, and its graph can be replayed.
///
/// @tparam Runtime  static functions: `void* allocate(bytes)`, null where there is no memory,
///                  `free(void*)`, which may wait, and `FreeMemory free_memory()`
template <class Runtime>
class BlockCache {
 public:
  struct Block {
    std::atomic<std::uint32_t> owners{1};
    std::size_t bytes = 0;  ///< as they were asked for
    std::size_t size = 0;   ///< as they were allocated
    void* start = nullptr;
    Block* before = nullptr;  ///< among the live ones
    Block* after = nullptr;
    void* memory() { return start; }
  };

  /// While it lives, what its thread gives back serves that thread alone: work of the thread that
  /// was noted and not yet begun still uses it, and another thread's work must not come before.
  class KeepReleased {
   public:
    /// @param begin_work  begins what was noted; called where memory is short
    KeepReleased(BlockCache& cache, std::function<void()> begin_work)
        : cache_(cache),
          begin_work_(std::move(begin_work)),
          outer_(std::exchange(current(), this)) {}
    KeepReleased(const KeepReleased&) = delete;
    KeepReleased& operator=(const KeepReleased&) = delete;
    ~KeepReleased() {
      current() = outer_;
      const std::lock_guard lock(cache_.mutex_);
      hand_over();
    }

   private:
    friend BlockCache;
    static KeepReleased*& current() {
      static thread_local KeepReleased* current = nullptr;
      return current;
    }
    static KeepReleased* of(const BlockCache& cache) {
      return current() != nullptr && &current()->cache_ == &cache ? current() : nullptr;
    }
    void hand_over() {
      for (auto& [size, blocks] : released_) {
        for (Block* const block : blocks) put(cache_.free_[size], block);
        blocks.clear();
      }
    }

    BlockCache& cache_;
    std::function<void()> begin_work_;
    KeepReleased* outer_;
    std::map<std::size_t, std::vector<Block*>> released_;
  };

  /// @throws BackendError  out of memory, after the cache was given back: says what was asked for,
  ///                       what is in use and free, and the largest blocks
  Block* allocate(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    const std::size_t size = rounded(bytes);
    KeepReleased* const kept = KeepReleased::of(*this);
    Block* block = kept == nullptr ? nullptr : take(kept->released_, size);
    if (block == nullptr) block = take(free_, size);
    if (block == nullptr) {
      block = new Block;
      block->size = size;
      block->start = Runtime::allocate(size);
      if (block->start == nullptr) {
        if (kept != nullptr) {
          lock.unlock();
          kept->begin_work_();
          lock.lock();
          kept->hand_over();
        }
        give_back();
        block->start = Runtime::allocate(size);
      }
      if (block->start == nullptr) {
        delete block;
        refuse(bytes);
      }
      ++use_.system_requests;
    }
    block->owners.store(1, std::memory_order_relaxed);
    block->bytes = bytes;
    use_.in_use += bytes;
    use_.peak = std::max(use_.peak, use_.in_use);
    block->before = nullptr;
    block->after = live_;
    if (live_ != nullptr) live_->before = block;
    live_ = block;
    return block;
  }

  void release(Block* block) {
    const std::lock_guard lock(mutex_);
    use_.in_use -= block->bytes;
    if (block->before != nullptr)
      block->before->after = block->after;
    else
      live_ = block->after;
    if (block->after != nullptr) block->after->before = block->before;
    KeepReleased* const kept = KeepReleased::of(*this);
    put((kept == nullptr ? free_ : kept->released_)[block->size], block);
  }

  /// Gives every cached block back to the runtime.
  void trim() {
    const std::lock_guard lock(mutex_);
    give_back();
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
  /// Sizes an eighth of a power of two apart, and never below a line of 512 bytes: what is as good
  /// as equal shares blocks.
  static std::size_t rounded(std::size_t bytes) {
    std::size_t step = 512;
    while (step * 16 <= bytes) step *= 2;
    return std::max<std::size_t>(1, (bytes + step - 1) / step) * step;
  }
  static bool later(const Block* a, const Block* b) { return std::greater<>()(a->start, b->start); }
  static void put(std::vector<Block*>& blocks, Block* block) {
    blocks.push_back(block);
    std::push_heap(blocks.begin(), blocks.end(), later);
  }
  static Block* take(std::map<std::size_t, std::vector<Block*>>& from, std::size_t size) {
    const auto found = from.find(size);
    if (found == from.end() || found->second.empty()) return nullptr;
    std::pop_heap(found->second.begin(), found->second.end(), later);
    Block* const block = found->second.back();
    found->second.pop_back();
    return block;
  }
  void give_back() {
    for (auto& [size, blocks] : free_)
      for (Block* block : blocks) {
        Runtime::free(block->start);
        delete block;
      }
    free_.clear();
  }
  [[noreturn]] void refuse(std::size_t bytes) const {
    std::vector<std::size_t> largest;
    for (const Block* block = live_; block != nullptr; block = block->after)
      largest.push_back(block->bytes);
    const auto shown = std::min<std::size_t>(5, largest.size());
    std::partial_sort(largest.begin(), largest.begin() + static_cast<std::ptrdiff_t>(shown),
                      largest.end(), std::greater<>());
    std::string list;
    for (std::size_t i = 0; i < shown; ++i)
      list += (i == 0 ? "" : ", ") + std::to_string(largest[i]);
    const auto memory = Runtime::free_memory();
    fail<BackendError>("the GPU is out of memory: ", bytes, " bytes were asked for, ", use_.in_use,
                       " are in use by ", largest.size(),
                       " tensors (the largest: ", list.empty() ? "none" : list, "), ", memory.free,
                       " of ", memory.total,
                       " are free; use a smaller batch or model, or a 16-bit policy");
  }

  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<Block*>> free_;
  Block* live_ = nullptr;
  MemoryUse use_;
};

/// What a GPU's memory is, in bytes.
struct FreeMemory {
  std::size_t free = 0;
  std::size_t total = 0;
};

}  // namespace halfstep
