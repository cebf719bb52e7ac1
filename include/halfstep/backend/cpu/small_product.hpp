#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// C = A B, or C += A B, on this thread, for operands that fit the cache: what an operation that
/// works in tiles multiplies with. A is read one number at a time, by any strides; B and C are rows
/// of whole packets.
///
/// @numerics  every element sums over k in order, whatever the tile that it is in
template <class Scalar>
struct SmallProduct {
  static constexpr bool compute_bound = true;
  Index m;
  Index n;  ///< a multiple of widest_packet
  Index k;
  const Scalar* a;
  Index a_row;     ///< from one row of A to the next
  Index a_column;  ///< from one column of A to the next
  const Scalar* b;
  Index b_row;
  Scalar* c;
  Index c_row;
  bool accumulate;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    // As many columns as leave registers for the sums: 4 x 4 of 32, 4 x 2 of 16.
    constexpr int most = lanes<N> == 16 ? 4 : 2;
    Index column = 0;
    for (; column + most * lanes<N> <= n; column += most * lanes<N>) strip<N, most>(column);
    for (; column < n; column += lanes<N>) strip<N, 1>(column);
  }

 private:
  template <class N, int Columns>
  HALFSTEP_INLINE void strip(Index column) const {
    Index row = 0;
    for (; row + 4 <= m; row += 4) block<N, 4, Columns>(row, column);
    for (; row < m; ++row) block<N, 1, Columns>(row, column);
  }

  template <class N, int Rows, int Columns>
  HALFSTEP_INLINE void block(Index row, Index column) const {
    N sums[Rows][Columns];
    Scalar* const to = c + row * c_row + column;
    for (int i = 0; i < Rows; ++i)
      for (int j = 0; j < Columns; ++j) {
        if (accumulate)
          sums[i][j] = load<N>(to + i * c_row + j * lanes<N>);
        else
          sums[i][j] = N(0.0f);
      }
    const Scalar* left = a + row * a_row;
    const Scalar* right = b + column;
    for (Index at = 0; at < k; ++at, left += a_column, right += b_row) {
      N line[Columns];
      for (int j = 0; j < Columns; ++j) line[j] = load<N>(right + j * lanes<N>);
      for (int i = 0; i < Rows; ++i) {
        const N factor(left[i * a_row]);
        for (int j = 0; j < Columns; ++j) sums[i][j] = fma(factor, line[j], sums[i][j]);
      }
    }
    for (int i = 0; i < Rows; ++i)
      for (int j = 0; j < Columns; ++j) store(sums[i][j], to + i * c_row + j * lanes<N>);
  }
};

}  // namespace halfstep
