#pragma once

#include <halfstep/backend/grid/block.hpp>
#include <halfstep/core/error.hpp>

#include <array>
#include <cstring>
#include <map>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// A GPU's block of threads without a GPU: its threads take their turns, phase by phase, in an
/// order that changes from phase to phase; shared memory is NaN until it is written.
class HostBlock {
 public:
  static constexpr int most_threads = 1024;

  template <class T>
  class PerThread {
   public:
    T& operator[](int thread) { return values_[static_cast<std::size_t>(thread)]; }
    const T& operator[](int thread) const { return values_[static_cast<std::size_t>(thread)]; }

   private:
    std::array<T, most_threads> values_;
  };

  HostBlock(Index index, const GridSize& size) : index_(index), size_(size) {}

  Index index() const { return index_; }
  Index blocks() const { return size_.blocks; }
  int threads() const { return size_.threads; }

  template <class F>
  void each(const F& f) {
    backwards_ = !backwards_;
    for (int i = 0; i < size_.threads; ++i) f(backwards_ ? size_.threads - 1 - i : i);
  }
  template <class F>
  void own(const F& f) {
    each(f);
  }
  void barrier() {}

  template <class T, int N, int Id>
  T* shared() {
    std::vector<std::max_align_t>& memory = shared_[Id];
    const std::size_t bytes = N * sizeof(T);
    if (memory.empty()) {
      memory.resize((bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
      std::memset(static_cast<void*>(memory.data()), 0xFF, bytes);
      used_ += bytes;
      if (used_ > most_shared)
        fail<UsageError>("a kernel takes ", used_, " bytes of shared memory; a block has ",
                         most_shared);
    }
    return reinterpret_cast<T*>(memory.data());
  }

  template <class T>
  PerThread<T> exchange(const PerThread<T>& x, int offset) {
    PerThread<T> other;
    for (int thread = 0; thread < size_.threads; ++thread) other[thread] = x[thread ^ offset];
    return other;
  }

 private:
  static constexpr std::size_t most_shared = 48 << 10;

  Index index_;
  GridSize size_;
  bool backwards_ = true;
  std::size_t used_ = 0;
  std::map<int, std::vector<std::max_align_t>> shared_;
};

/// The limits of a launch on every GPU that there is.
/// @throws UsageError  the grid has more blocks or threads than one may have
inline void check_launch(const GridSize& size) {
  if (size.blocks < 1 || size.blocks > 0x7FFFFFFF || size.threads < warp_size ||
      size.threads > HostBlock::most_threads || size.threads % warp_size != 0)
    fail<UsageError>("a grid of ", size.blocks, " blocks of ", size.threads,
                     " threads cannot be launched");
}

/// Runs a kernel block after block.
template <class Kernel>
void run_on_host(const GridSize& size, const Kernel& kernel) {
  for (Index index = 0; index < size.blocks; ++index) {
    HostBlock block(index, size);
    kernel(block);
  }
}

}  // namespace halfstep
