#pragma once

#include <halfstep/backend/grid/block.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// A lane's part of a 16 x 16 matrix that a warp holds together. Where an element lies is what
/// tensor cores ask for: it is the layout of the accumulator and of both operands of PTX's
/// mma.m16n8k16 (two of them side by side), so that what one product gave, rounded, is the left
/// operand of the next without leaving its registers.
template <class T>
struct alignas(16) WarpTile {
  static constexpr int size = 16;
  static constexpr int per_lane = size * size / warp_size;

  T of[per_lane];

  /// Where element e of a thread stands in its warp's matrix.
  static HALFSTEP_HOST_DEVICE constexpr int row(int thread, int e) {
    return thread % warp_size / 4 + e / 2 % 2 * 8;
  }
  static HALFSTEP_HOST_DEVICE constexpr int column(int thread, int e) {
    return thread % 4 * 2 + e % 2 + e / 4 * 8;
  }
  /// A lane has four elements of one row and four of the row eight below; the others of a row are
  /// in the three neighbouring lanes.
  static constexpr int per_row = 4;
  static HALFSTEP_HOST_DEVICE constexpr int element(int row, int n) {
    return n / 2 * 4 + row * 2 + n % 2;
  }

  // Of 16-bit numbers, two neighbours are a register: four of a lane, which hold the upper and the
  // lower left 8 x 8 matrix, then the right ones. PTX's ldmatrix.x4 takes an address in each lane,
  // which names a row of eight: lanes 0 to 7 those of the matrix that goes to the first register,
  // and so on. An accumulator's left and right half each ask for two neighbouring registers of the
  // right operand, its upper and its lower matrices: those are loaded in the order 0, 2, 1, 3.

  /// Where the row stands that a lane names: of a left operand, or of a right one that is read
  /// transposed.
  static HALFSTEP_HOST_DEVICE constexpr int named_row(int lane) { return lane % 16; }
  static HALFSTEP_HOST_DEVICE constexpr int named_column(int lane) { return lane / 16 * 8; }
  /// The same of a right operand.
  static HALFSTEP_HOST_DEVICE constexpr int named_right_row(int lane) {
    return lane % 8 + lane / 16 * 8;
  }
  static HALFSTEP_HOST_DEVICE constexpr int named_right_column(int lane) {
    return lane / 8 % 2 * 8;
  }
  /// In which register of a right operand the n-th stands as it is loaded.
  static HALFSTEP_HOST_DEVICE constexpr int right_register(int n) { return n % 2 * 2 + n / 2; }
};

/// A matrix of 16 rows and Tiles x 16 columns for each warp of a block.
template <class Block, class T, int Tiles>
struct WarpTiles {
  typename Block::template PerThread<WarpTile<T>> tile[Tiles];

  HALFSTEP_CALLS_EITHER
  HALFSTEP_HOST_DEVICE void fill(Block& block, T value) {
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int n = 0; n < Tiles; ++n)
        for (T& element : tile[n][thread].of) element = value;
    });
  }
};

}  // namespace halfstep
