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

/// Rows of `width` elements in global memory; aligned where eight of them at a time may be read.
template <class T>
struct MatrixRows {
  T* data;
  Index stride;
  Index count;
  Index width;
  bool aligned;
};

/// Whether all rows of all heads begin at 16 bytes.
template <class T>
bool has_aligned_rows(const T* data, const HeadStrides& by, Index width) {
  return width % 8 == 0 && by.batch % 8 == 0 && by.head % 8 == 0 && by.time % 8 == 0 &&
         reinterpret_cast<std::uintptr_t>(data) % alignof(Pack<T, 8>) == 0;
}

/// Starts to copy rows `first` and on to shared memory, with zeros beyond the matrix: they add
/// nothing.
HALFSTEP_CALLS_EITHER
template <int Rows, int Width, class Block, class T>
HALFSTEP_HOST_DEVICE void start_rows(Block& block, const MatrixRows<const T>& from, Index first,
                                     T* to) {
  constexpr int packs = Width / 8, rows_at_once = product_threads / packs;
  static_assert(Rows % rows_at_once == 0);
  block.own([&](int thread) {
    if (from.aligned) {
      const int row = thread / packs, column = thread % packs * 8;
      const T* source = from.data + (first + row) * from.stride + column;
      T* target = to + row * row_pitch(Width) + column;
      const Index there = column < from.width ? from.count - first - row : 0;
      HALFSTEP_UNROLL
      for (int n = 0; n < Rows; n += rows_at_once) {
        block.start_copy(target, source, n < there);
        source += rows_at_once * from.stride;
        target += rows_at_once * row_pitch(Width);
      }
    } else {
      for (int at = thread; at < Rows * Width; at += product_threads) {
        const int row = at / Width, column = at % Width;
        T element{};
        if (first + row < from.count && column < from.width)
          element = from.data[(first + row) * from.stride + column];
        to[row * row_pitch(Width) + column] = element;
      }
    }
  });
}

/// Calls use(first, stage) for tiles of Rows rows from begin to end, each of which start(first,
/// stage) has copied to its stage in shared memory: with two stages while the one before is used.
HALFSTEP_CALLS_EITHER
template <int Rows, int Stages, class Block, class Start, class Use>
HALFSTEP_HOST_DEVICE void for_each_tile(Block& block, Index begin, Index end, const Start& start,
                                        const Use& use) {
  int stage = 0;
  start(begin, stage);
  for (Index first = begin; first < end; first += Rows) {
    const Index next = first + Rows;
    block.await_copies();
    // Here all see the tile, and nobody uses the one before it any more.
    block.barrier();
    if constexpr (Stages == 2) {
      if (next < end) start(next, 1 - stage);
      use(first, stage);
      stage = 1 - stage;
    } else {
      use(first, stage);
      block.barrier();
      if (next < end) start(next, stage);
    }
  }
}

/// Each warp's 16 rows of a left operand: kept in registers, or where these are short read from
/// shared memory for each product.
template <class Block, class T, int Width, bool Kept>
class LeftRows {
 public:
  /// @param from  in shared memory; the rows of the first warp
  HALFSTEP_CALLS_EITHER
  HALFSTEP_HOST_DEVICE void open(Block& block, const T* from) {
    from_ = from;
    if constexpr (Kept) {
      HALFSTEP_UNROLL
      for (int n = 0; n < Width / size; ++n) load(block, n, tile_[n]);
    }
  }
  /// c += rows b^T, with Tiles x 16 rows of b in shared memory.
  HALFSTEP_CALLS_EITHER
  template <int Tiles>
  HALFSTEP_HOST_DEVICE void multiply(Block& block, const T* b, WarpTiles<Block, float, Tiles>& c) {
    PerThread right;
    HALFSTEP_UNROLL
    for (int n = 0; n < Width / size; ++n) {
      PerThread& left = tile_[Kept ? n : 0];
      if constexpr (!Kept) load(block, n, left);
      HALFSTEP_UNROLL
      for (int m = 0; m < Tiles; ++m) {
        block.load_right(right, b + m * size * pitch + n * size, pitch);
        block.multiply_add(c.tile[m], left, right);
      }
    }
  }

 private:
  using PerThread = typename Block::template PerThread<WarpTile<T>>;
  static constexpr int size = WarpTile<T>::size, pitch = row_pitch(Width);

  HALFSTEP_CALLS_EITHER
  HALFSTEP_HOST_DEVICE void load(Block& block, int n, PerThread& to) const {
    block.load_left(to, from_ + n * size, size * pitch, pitch);
  }

  PerThread tile_[Kept ? Width / size : 1];
  const T* from_ = nullptr;
};

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
      block.load_right_transposed(right, b + n * size * pitch + d * size, pitch);
      block.multiply_add(c.tile[d], left, right);
    }
  }
}

/// to = factor sums, or what it holds is added to: rows `first` and on.
HALFSTEP_CALLS_EITHER
template <int Tiles, class Block, class T>
HALFSTEP_HOST_DEVICE void store_rows(Block& block, WarpTiles<Block, float, Tiles>& sums,
                                     float factor, const MatrixRows<T>& to, Index first,
                                     bool accumulate) {
  using Tile = WarpTile<float>;
  // Calls visit(thread, n, element of tile n, where it goes) for what is in the matrix.
  const auto for_each = [&](const auto& visit) {
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int of_warp = thread / warp_size * Tile::size;
        const Index row = first + of_warp + Tile::row(thread, Tile::element(half, 0));
        if (row >= to.count) continue;
        T* const target = to.data + row * to.stride;
        HALFSTEP_UNROLL
        for (int n = 0; n < Tiles; ++n) {
          HALFSTEP_UNROLL
          for (int m = 0; m < Tile::per_row; m += 2) {
            const int e = Tile::element(half, m);
            const int column = n * Tile::size + Tile::column(thread, e);
            if (column < to.width) visit(thread, n, e, target + column, column + 1 < to.width);
          }
        }
      }
    });
  };
  for_each([&](int thread, int n, int e, const T* at, bool two) {
    float* const pair = sums.tile[n][thread].of + e;
    pair[0] *= factor;
    pair[1] *= factor;
    if (!accumulate) return;
    pair[0] += storage_cast<float>(at[0]);
    if (two) pair[1] += storage_cast<float>(at[1]);
  });
  typename Block::template PerThread<WarpTile<T>> rounded[Tiles];
  HALFSTEP_UNROLL
  for (int n = 0; n < Tiles; ++n) block.round(sums.tile[n], rounded[n]);
  for_each([&](int thread, int n, int e, T* at, bool two) {
    const T* const pair = rounded[n][thread].of + e;
    if (to.aligned) {
      *reinterpret_cast<Pack<T, 2>*>(at) = {{pair[0], pair[1]}};
    } else {
      at[0] = pair[0];
      if (two) at[1] = pair[1];
    }
  });
}

}  // namespace halfstep
