#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>

#include <utility>

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
    for (; column + 2 * lanes<N> <= n; column += 2 * lanes<N>) strip<N, 2>(column);
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
    using RowNumbers = std::make_index_sequence<Rows>;
    using ColumnNumbers = std::make_index_sequence<Columns>;
    N sums[Rows * Columns];
    Scalar* const to = c + row * c_row + column;
    begin(to, sums, RowNumbers{}, ColumnNumbers{});
    const Scalar* left = a + row * a_row;
    const Scalar* right = b + column;
    for (Index at = 0; at < k; ++at, left += a_column, right += b_row)
      add(left, right, sums, RowNumbers{}, ColumnNumbers{});
    end(to, sums, RowNumbers{}, ColumnNumbers{});
  }

  // Rows and columns are written out by their numbers: GCC keeps sums in registers only where it
  // sees every index, and -O2 unrolls no loop for it.
  template <class N, std::size_t... Row, class Columns>
  HALFSTEP_INLINE void begin(const Scalar* from, N* sums, std::index_sequence<Row...>,
                             Columns columns) const {
    (begin_row(from + static_cast<Index>(Row) * c_row, sums + Row * Columns::size(), columns), ...);
  }
  template <class N, std::size_t... Column>
  HALFSTEP_INLINE void begin_row(const Scalar* from, N* sums,
                                 std::index_sequence<Column...>) const {
    if (accumulate)
      ((sums[Column] = load<N>(from + Column * lanes<N>)), ...);
    else
      ((sums[Column] = N(0.0f)), ...);
  }
  template <class N, std::size_t... Row, std::size_t... Column>
  HALFSTEP_INLINE void add(const Scalar* left, const Scalar* right, N* sums,
                           std::index_sequence<Row...>,
                           std::index_sequence<Column...> columns) const {
    const N line[] = {load<N>(right + Column * lanes<N>)...};
    (add_row(N(left[static_cast<Index>(Row) * a_row]), line, sums + Row * sizeof...(Column),
             columns),
     ...);
  }
  template <class N, std::size_t... Column>
  static HALFSTEP_INLINE void add_row(const N& factor, const N* line, N* sums,
                                      std::index_sequence<Column...>) {
    ((sums[Column] = fma(factor, line[Column], sums[Column])), ...);
  }
  template <class N, std::size_t... Row, class Columns>
  HALFSTEP_INLINE void end(Scalar* to, const N* sums, std::index_sequence<Row...>,
                           Columns columns) const {
    (end_row(to + static_cast<Index>(Row) * c_row, sums + Row * Columns::size(), columns), ...);
  }
  template <class N, std::size_t... Column>
  static HALFSTEP_INLINE void end_row(Scalar* to, const N* sums, std::index_sequence<Column...>) {
    (store(sums[Column], to + Column * lanes<N>), ...);
  }
};

}  // namespace halfstep
