#pragma once

#include <halfstep/backend/cpu/attention_tiles.hpp>
#include <halfstep/backend/cpu/small_product.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

inline Index whole_packets(Index n) {
  return (n + widest_packet - 1) / widest_packet * widest_packet;
}

/// The products of one head of attention by our own loops, in the compute type: operands are
/// widened into scratch memory, whose rows are whole packets long and zero past the width.
///
/// Another class of products offers the same: the types, the sizes of a tile, operands that are
/// loaded from rows `time` apart, and the three products of a tile.
template <class T>
class AttentionProducts {
 public:
  using Scalar = Compute<T>;
  /// What a tile's probabilities and slopes are stored as.
  using Weight = Scalar;

  static constexpr Index query_tile = 32;
  static constexpr Index key_tile = 128;

  /// Rows of an operand.
  class Rows {
   public:
    Rows(const AttentionProducts& products, Index most)
        : width_(products.width_),
          row_length_(products.row_length_),
          memory_(Shape{most * products.row_length_}) {}
    void load(Index count, const T* from, Index time) {
      run_as<Scalar>(LoadRows<T>{count, width_, from, time, memory_.data(), row_length_});
    }
    const Scalar* data() const { return memory_.data(); }

   private:
    Index width_;
    Index row_length_;
    Tensor<Scalar> memory_;
  };

  /// An operand's rows as columns.
  class Columns {
   public:
    Columns(const AttentionProducts& products, Index count)
        : row_length_(products.row_length_),
          length_(whole_packets(count)),
          rows_(products, count),
          memory_(Shape{products.row_length_ * length_}) {}
    void load(Index count, const T* from, Index time) {
      rows_.load(count, from, time);
      transpose(count, rows_.data(), memory_.data());
    }
    const Scalar* data() const { return memory_.data(); }
    Index length() const { return length_; }

   private:
    /// A packet's worth of rows at a time; what is past the rows is zero.
    void transpose(Index rows, const Scalar* from, Scalar* to) const {
      for (Index first = 0; first < length_; first += widest_packet)
        for (Index i = 0; i < row_length_; ++i)
          for (Index row = first; row < first + widest_packet; ++row)
            to[i * length_ + row] = row < rows ? from[row * row_length_ + i] : Scalar(0);
    }

    Index row_length_;
    Index length_;
    Rows rows_;
    Tensor<Scalar> memory_;
  };

  explicit AttentionProducts(Index width) : width_(width), row_length_(whole_packets(width)) {}

  /// into = rows columns: a row for each query of the tile, a column for each key.
  void to_scores(const ScoreTile& tile, const Rows& rows, const Columns& columns,
                 Scalar* into) const {
    run_as<Scalar>(SmallProduct<Scalar>{tile.queries, whole_packets(tile.keys), width_, rows.data(),
                                        row_length_, 1, columns.data() + tile.first_key,
                                        columns.length(), into, tile.row_length, false});
  }
  /// into += weights by_keys: a row for each query of the tile.
  void to_queries(const ScoreTile& tile, const Weight* weights, const Rows& by_keys,
                  Scalar* into) const {
    run_as<Scalar>(SmallProduct<Scalar>{
        tile.queries, row_length_, tile.keys, weights, tile.row_length, 1,
        by_keys.data() + tile.first_key * row_length_, row_length_, into, row_length_, true});
  }
  /// into += weights^T by_queries: a row for each key of the head, those of the tile are added to.
  void to_keys(const ScoreTile& tile, const Weight* weights, const Rows& by_queries,
               Scalar* into) const {
    run_as<Scalar>(SmallProduct<Scalar>{tile.keys, row_length_, tile.queries, weights, 1,
                                        tile.row_length, by_queries.data(), row_length_,
                                        into + tile.first_key * row_length_, row_length_, true});
  }

 private:
  Index width_;
  Index row_length_;
};

}  // namespace halfstep
