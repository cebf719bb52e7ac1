#pragma once

#include <halfstep/backend/grid/warp_tile.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/numeric/storage_cast.hpp>

#include <array>
#include <cmath>
#include <cstdint>
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

  void start_copy(void* to, const void* from, bool there) {
    copies_.push_back({to, there ? from : nullptr});
  }
  /// As late as may be: what is read before was not there yet.
  void await_copies() {
    for (const Copy& copy : copies_) {
      if (copy.from != nullptr)
        std::memcpy(copy.to, copy.from, 16);
      else
        std::memset(copy.to, 0, 16);
    }
    copies_.clear();
  }
  static float exp2(float x) { return x < -126.0f ? 0.0f : std::exp2(x); }

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

  template <class T>
  void load_left(PerThread<WarpTile<T>>& to, const T* from, int step, int pitch) {
    read(to, from, step, pitch, 1);
  }
  template <class T>
  void load_right(PerThread<WarpTile<T>>& to, const T* from, int pitch) {
    read(to, from, 0, pitch, 1);
  }
  template <class T>
  void load_right_transposed(PerThread<WarpTile<T>>& to, const T* from, int pitch) {
    read(to, from, 0, 1, pitch);
  }
  template <class T>
  void multiply_add(PerThread<WarpTile<float>>& c, const PerThread<WarpTile<T>>& left,
                    const PerThread<WarpTile<T>>& right) {
    for (int first = 0; first < size_.threads; first += warp_size) {
      const Matrix a = gather(left, first), b = gather(right, first);
      Matrix sums = gather(c, first);
      for (int i = 0; i < WarpTile<T>::size; ++i)
        for (int j = 0; j < WarpTile<T>::size; ++j)
          for (int k = 0; k < WarpTile<T>::size; ++k) sums.at[i][j] += a.at[i][k] * b.at[j][k];
      for_each_element<T>(first, [&](int thread, int e, int row, int column) {
        c[thread].of[e] = sums.at[row][column];
      });
    }
  }
  template <class T>
  void round(const PerThread<WarpTile<float>>& from, PerThread<WarpTile<T>>& to) {
    own([&](int thread) {
      for (int e = 0; e < WarpTile<T>::per_lane; ++e)
        to[thread].of[e] = storage_cast<T>(from[thread].of[e]);
    });
  }

 private:
  static constexpr std::size_t most_shared = 48 << 10;

  struct Copy {
    void* to;
    const void* from;
  };
  /// What a warp holds together.
  struct Matrix {
    float at[16][16];
  };
  template <class T, class F>
  static void for_each_element(int first, const F& f) {
    for (int thread = first; thread < first + warp_size; ++thread)
      for (int e = 0; e < WarpTile<T>::per_lane; ++e)
        f(thread, e, WarpTile<T>::row(thread, e), WarpTile<T>::column(thread, e));
  }
  template <class T>
  static Matrix gather(const PerThread<WarpTile<T>>& tile, int first) {
    Matrix matrix;
    for_each_element<T>(first, [&](int thread, int e, int row, int column) {
      matrix.at[row][column] = storage_cast<float>(tile[thread].of[e]);
    });
    return matrix;
  }
  template <class T>
  void read(PerThread<WarpTile<T>>& to, const T* from, int step, int by_row, int by_column) {
    if (reinterpret_cast<std::uintptr_t>(from) % 16 != 0 || step % 8 != 0 ||
        by_row * by_column % 8 != 0)
      fail<UsageError>("a warp's matrix begins at a multiple of 16 bytes, and so do its rows");
    for (int first = 0; first < size_.threads; first += warp_size)
      for_each_element<T>(first, [&](int thread, int e, int row, int column) {
        to[thread].of[e] = from[first / warp_size * step + row * by_row + column * by_column];
      });
  }

  Index index_;
  GridSize size_;
  bool backwards_ = true;
  std::size_t used_ = 0;
  std::vector<Copy> copies_;
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
