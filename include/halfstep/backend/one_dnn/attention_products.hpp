#pragma once

#include <halfstep/backend/cpu/attention_products.hpp>
#include <halfstep/backend/one_dnn/matmul_plan.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn::inline HALFSTEP_ISA {

/// The products of one head of attention by oneDNN, on operands where they lie; see
/// cpu::AttentionProducts, which offers the same.
///
/// @numerics  sums in FP32; probabilities and slopes are rounded to T for their products
template <class T>
class AttentionProducts {
 public:
  using Scalar = float;
  using Weight = T;

  // Larger than our own loops take: a call costs something.
  static constexpr Index query_tile = 64;
  static constexpr Index key_tile = 512;

  struct Rows {
    const T* from = nullptr;
    Index time = 0;

    Rows(const AttentionProducts&, Index) {}
    void load(Index, const T* rows, Index rows_apart) {
      from = rows;
      time = rows_apart;
    }
  };
  using Columns = Rows;

  explicit AttentionProducts(Index width)
      : width_(width), row_length_(cpu::whole_packets(width)), threads_(threads_here()) {}

  void to_scores(const cpu::ScoreTile& tile, const Rows& rows, const Columns& columns,
                 float* into) const {
    const GemmProblem p{.m = tile.queries, .n = tile.keys, .k = width_, .transpose_b = true};
    run(p, rows.from, rows.time, columns.from + tile.first_key * columns.time, columns.time, into,
        tile.row_length);
  }
  void to_queries(const cpu::ScoreTile& tile, const Weight* weights, const Rows& by_keys,
                  float* into) const {
    const GemmProblem p{.m = tile.queries, .n = width_, .k = tile.keys, .beta = 1.0f};
    run(p, weights, tile.row_length, by_keys.from + tile.first_key * by_keys.time, by_keys.time,
        into, row_length_);
  }
  void to_keys(const cpu::ScoreTile& tile, const Weight* weights, const Rows& by_queries,
               float* into) const {
    const GemmProblem p{
        .m = tile.keys, .n = width_, .k = tile.queries, .transpose_a = true, .beta = 1.0f};
    run(p, weights, tile.row_length, by_queries.from, by_queries.time,
        into + tile.first_key * row_length_, row_length_);
  }

 private:
  static int threads_here() { return cpu::in_parallel() ? 1 : threads(); }

  void run(const GemmProblem& p, const T* a, Index a_row, const T* b, Index b_row, float* c,
           Index c_row) const {
    const MatmulKey key{p,        data_type<T>, dnnl_f32, dnnl_data_type_undef,
                        threads_, a_row,        b_row,    c_row};
    auto& cache = PlanCache<MatmulPlan>::of_this_thread();
    cache.run(cache.plan(key), static_cast<const void*>(a), static_cast<const void*>(b),
              static_cast<void*>(c), static_cast<const void*>(nullptr));
  }

  Index width_;
  Index row_length_;
  int threads_;
};

}  // namespace halfstep
