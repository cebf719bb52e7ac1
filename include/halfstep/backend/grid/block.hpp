#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/tensor/shape.hpp>

#include <cstddef>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// A kernel is a functor of plain members that is called with the block of threads that it runs in:
//
//   template <class Block> HALFSTEP_HOST_DEVICE void operator()(Block& block) const;
//
// It is written in phases, so that the same code runs on a GPU, where every thread goes through all
// of it, and on the host (host_block.hpp), where a phase is a loop over the threads:
//
//   block.index(), block.blocks()     which block of how many
//   block.threads()                   how many threads it has, a multiple of 32
//   block.each([&](int thread) {})    a phase; afterwards all see what each has written
//   block.own([&](int thread) {})     a phase that touches nothing which another thread writes
//   block.template shared<T, N, Id>() N elements of memory that the block's threads share
//   Block::PerThread<T>               a variable that each thread has: x[thread]
//   block.start_copy(to, from, there) a thread's 16 bytes of global memory to shared memory, or
//                                     zeros; they are there after
//   block.await_copies()              which waits for all that the thread has started
//   Block::exp2(x)                    2^x of a float, 0 below 2^-126; errs by 2^-22 of it
//   block.exchange(x, offset)         what x is in lane `lane ^ offset` of the thread's warp
//
// and, with a WarpTile (warp_tile.hpp) in every thread, each warp on its own 16 x 16 matrices:
//
//   block.load_left(to, from, step, pitch)
//                                     to = rows of `pitch` 16-bit numbers in shared memory, 16-byte
//                                     aligned; warp w's matrix begins at from + w * step
//   block.load_right(to, from, pitch) the same for all warps; left and right differ in the order
//                                     of registers alone, which is the operand's of a product
//   block.load_right_transposed(...)  to = what stands there, transposed
//   block.multiply_add(c, left, right)
//                                     c += left right^T, c in FP32: on tensor cores
//   block.round(from, to)             to = from, in 16 bits: a left operand
//
// The products are exact, their sums FP32; tensor cores truncate what they add, by less than 2^-22
// of the largest term, and the host rounds.
//
// Between phases stands only what is the same in every thread: loops and branches on block.index()
// and the kernel's members.

inline constexpr int warp_size = 32;

/// How many blocks of how many threads run a kernel.
struct GridSize {
  Index blocks = 0;
  int threads = 256;
};

/// A grid of a block for each of `rows` rows of n elements.
inline GridSize grid_of_rows(Index rows, Index n) {
  const Index threads = (n + warp_size - 1) / warp_size * warp_size;
  return {rows, static_cast<int>(threads < 32 ? 32 : threads > 256 ? 256 : threads)};
}

/// A grid with a thread for each of n elements.
inline GridSize grid_of_elements(Index n, int threads = 256) {
  return {(n + threads - 1) / threads, threads};
}

HALFSTEP_HOST_DEVICE constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }
HALFSTEP_HOST_DEVICE constexpr Index rounded_up(Index n, Index by) { return (n + by - 1) / by; }

struct Sum {
  template <class T>
  HALFSTEP_HOST_DEVICE constexpr T operator()(T a, T b) const {
    return a + b;
  }
};
/// NaN when either is.
struct Largest {
  template <class T>
  HALFSTEP_HOST_DEVICE constexpr T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};
struct Smallest {
  template <class T>
  HALFSTEP_HOST_DEVICE constexpr T operator()(T a, T b) const {
    return b < a || b != b ? b : a;
  }
};

/// x over the threads of each warp, or of each `Lanes` neighbours, in a fixed tree; every thread
/// gets that of its own.
HALFSTEP_CALLS_EITHER
template <int Lanes = warp_size, class Block, class PerThread, class Combine>
HALFSTEP_HOST_DEVICE void combine_warps(Block& block, PerThread& x, const Combine& combine) {
  for (int offset = Lanes / 2; offset > 0; offset /= 2) {
    const PerThread other = block.exchange(x, offset);
    // The lower lane's number stands first in both lanes: they get the same bits.
    block.own([&](int thread) {
      x[thread] = (thread & offset) == 0 ? combine(x[thread], other[thread])
                                         : combine(other[thread], x[thread]);
    });
  }
}

/// x over all threads of the block, in a fixed tree.
/// @tparam Id  of the shared memory that it takes
HALFSTEP_CALLS_EITHER
template <class T, int Id, class Block, class Combine>
HALFSTEP_HOST_DEVICE T combine_block(Block& block, typename Block::template PerThread<T>& x,
                                     const Combine& combine) {
  combine_warps(block, x, combine);
  T* const parts = block.template shared<T, warp_size, Id>();
  block.each([&](int thread) {
    if (thread % warp_size == 0) parts[thread / warp_size] = x[thread];
  });
  T result = parts[0];
  for (int warp = 1; warp < block.threads() / warp_size; ++warp)
    result = combine(result, parts[warp]);
  block.barrier();
  return result;
}

}  // namespace halfstep
