#pragma once

#include <halfstep/backend/grid/elements.hpp>
#include <halfstep/backend/grid/warp_tile.hpp>
#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/attention.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// Products of rows of 16-bit numbers on tensor cores. A block of `product_threads` copies rows to
// shared memory; each of its warps then works on 16 rows of the left operand and all of the right.

inline constexpr int product_threads = 128;
/// The rows of a left operand that a block works on.
inline constexpr int product_rows = product_threads / warp_size * WarpTile<float>::size;

/// From one row in shared memory to the next. The eight more than the row has put the eight rows
/// that are read at once into banks of their own.
inline constexpr int row_pitch(int width) { return width + 8; }

/// Rows of `width` elements in global memory.
template <class T>
struct MatrixRows {
  T* data;
  Index stride;
  Index count;
  Index width;
};

/// Whether rows may be read in packs of eight.
template <class T>
bool has_aligned_rows(const T* data, const HeadStrides& by, Index width) {
  return width % 8 == 0 && by.batch % 8 == 0 && by.head % 8 == 0 && by.time % 8 == 0 &&
         reinterpret_cast<std::uintptr_t>(data) % alignof(Pack<T, 8>) == 0;
}

/// Rows `first` and on to shared memory, with zeros beyond the matrix: they add nothing.
HALFSTEP_CALLS_EITHER
template <int Rows, int Width, class Block, class T>
HALFSTEP_HOST_DEVICE void copy_rows(Block& block, const MatrixRows<const T>& from, Index first,
                                    bool aligned, T* to) {
  constexpr int packs = Width / 8;
  static_assert(Rows * packs % product_threads == 0);
  block.own([&](int thread) {
    HALFSTEP_UNROLL
    for (int n = 0; n < Rows * packs / product_threads; ++n) {
      const int at = thread + n * product_threads;
      const int row = at / packs, column = at % packs * 8;
      Pack<T, 8> pack{};
      if (first + row < from.count) {
        const T* const source = from.data + (first + row) * from.stride + column;
        if (aligned) {
          if (column < from.width) pack = *reinterpret_cast<const Pack<T, 8>*>(source);
        } else {
          for (int e = 0; e < 8; ++e)
            if (column + e < from.width) pack.values[e] = source[e];
        }
      }
      *reinterpret_cast<Pack<T, 8>*>(to + row * row_pitch(Width) + column) = pack;
    }
  });
}

/// c += a b^T over rows of Width: each warp's 16 rows of a by Tiles x 16 rows of b.
HALFSTEP_CALLS_EITHER
template <int Width, int Tiles, class Block, class T>
HALFSTEP_HOST_DEVICE void multiply_by_rows(Block& block, const T* a, const T* b,
                                           WarpTiles<Block, float, Tiles>& c) {
  constexpr int pitch = row_pitch(Width), size = WarpTile<T>::size;
  typename Block::template PerThread<WarpTile<T>> left, right;
  HALFSTEP_UNROLL
  for (int k = 0; k < Width; k += size) {
    block.load(left, a + k, size * pitch, pitch);
    HALFSTEP_UNROLL
    for (int n = 0; n < Tiles; ++n) {
      block.load(right, b + n * size * pitch + k, 0, pitch);
      block.multiply_add(c.tile[n], left, right);
    }
  }
}

/// c += weights b, with the weights rounded to T: each warp's 16 rows of them by the Tiles x 16
/// rows of b.
HALFSTEP_CALLS_EITHER
template <int Width, int Tiles, class Block, class T>
HALFSTEP_HOST_DEVICE void add_weighted_rows(Block& block,
                                            const WarpTiles<Block, float, Tiles>& weights,
                                            const T* b, WarpTiles<Block, float, Width / 16>& c) {
  constexpr int pitch = row_pitch(Width), size = WarpTile<T>::size;
  typename Block::template PerThread<WarpTile<T>> left, right;
  HALFSTEP_UNROLL
  for (int n = 0; n < Tiles; ++n) {
    block.round(weights.tile[n], left);
    HALFSTEP_UNROLL
    for (int d = 0; d < Width / size; ++d) {
      block.load_transposed(right, b + n * size * pitch + d * size, 0, pitch);
      block.multiply_add(c.tile[d], left, right);
    }
  }
}

/// to = factor sums, or what it holds is added to: rows `first` and on.
HALFSTEP_CALLS_EITHER
template <int Tiles, class Block, class T>
HALFSTEP_HOST_DEVICE void store_rows(Block& block, const WarpTiles<Block, float, Tiles>& sums,
                                     float factor, const MatrixRows<T>& to, Index first,
                                     bool accumulate) {
  using Tile = WarpTile<float>;
  block.own([&](int thread) {
    HALFSTEP_UNROLL
    for (int n = 0; n < Tiles; ++n) {
      HALFSTEP_UNROLL
      for (int e = 0; e < Tile::per_lane; ++e) {
        const Index row = first + thread / warp_size * Tile::size + Tile::row(thread, e);
        const int column = n * Tile::size + Tile::column(thread, e);
        if (row >= to.count || column >= to.width) continue;
        T& element = to.data[row * to.stride + column];
        float value = factor * sums.tile[n][thread].of[e];
        if (accumulate) value += storage_cast<float>(element);
        element = storage_cast<T>(value);
      }
    }
  });
}

}  // namespace halfstep
