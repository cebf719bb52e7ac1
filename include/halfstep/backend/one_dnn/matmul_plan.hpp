#pragma once

#include <halfstep/backend/one_dnn/library.hpp>
#include <halfstep/backend/one_dnn/plan_cache.hpp>
#include <halfstep/ops/backend.hpp>

#include <array>

namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn {

/// All that a plan depends on; the activation is not part of it.
struct MatmulKey {
  GemmProblem problem;
  dnnl_data_type_t in = dnnl_f32;
  dnnl_data_type_t out = dnnl_f32;
  dnnl_data_type_t bias = dnnl_data_type_undef;  ///< undefined where there is none
  int threads = 1;  ///< oneDNN decides how to divide the work when the plan is made
  /// From one row to the next, as stored; 0: they are contiguous.
  Index a_row = 0;
  Index b_row = 0;
  Index c_row = 0;

  friend bool operator==(const MatmulKey&, const MatmulKey&) = default;

  std::uint64_t hash() const {
    const GemmProblem& p = problem;
    return hash_of({p.batch, p.m, p.n, p.k, Index{in}, Index{out},
                    Index{p.transpose_a} + 2 * Index{p.transpose_b}, a_row});
  }
};

/// A product of one shape, ready to run.
class MatmulPlan {
 public:
  using Key = MatmulKey;

  /// @throws BackendError  this processor has no such product
  explicit MatmulPlan(const MatmulKey& key) {
    const GemmProblem& p = key.problem;
    const int rank = p.batch == 1 ? 2 : 3;
    const MemoryDescription a = describe(rank, p.batch, p.m, p.k, key.in, p.transpose_a, key.a_row);
    const MemoryDescription b = describe(rank, p.batch, p.k, p.n, key.in, p.transpose_b, key.b_row);
    const MemoryDescription c = describe(rank, p.batch, p.m, p.n, key.out, false, key.c_row);
    const bool has_bias = key.bias != dnnl_data_type_undef;
    const MemoryDescription bias = describe(rank, 1, 1, p.n, has_bias ? key.bias : dnnl_f32, false);
    const Owned<dnnl_primitive_attr_t> attributes = post_operations(key);

    dnnl_primitive_desc_t created = nullptr;
#if DNNL_VERSION_MAJOR >= 3
    check(dnnl_matmul_primitive_desc_create(&created, engine(), a.get(), b.get(),
                                            has_bias ? bias.get() : nullptr, c.get(),
                                            attributes.get()),
          "dnnl_matmul_primitive_desc_create");
#else
    dnnl_matmul_desc_t product;
    check(
        dnnl_matmul_desc_init(&product, a.get(), b.get(), has_bias ? bias.get() : nullptr, c.get()),
        "dnnl_matmul_desc_init");
    check(dnnl_primitive_desc_create(&created, &product, attributes.get(), engine(), nullptr),
          "dnnl_primitive_desc_create");
#endif
    const Owned<dnnl_primitive_desc_t> description(created);
    dnnl_primitive_t primitive = nullptr;
    check(dnnl_primitive_create(&primitive, description.get()), "dnnl_primitive_create");
    primitive_.reset(primitive);

    add(DNNL_ARG_SRC, a);
    add(DNNL_ARG_WEIGHTS, b);
    add(DNNL_ARG_DST, c);
    if (has_bias) add(DNNL_ARG_BIAS, bias);
  }

  void run(dnnl_stream_t stream, const void* a, const void* b, void* c, const void* bias) {
    const std::array<const void*, 4> memory{a, b, c, bias};
    for (int i = 0; i < count_; ++i) {
      const auto at = static_cast<std::size_t>(i);
      // oneDNN takes no constant memory, and does not write to its sources.
      void* const address = const_cast<void*>(memory[at]);
      check(dnnl_memory_set_data_handle(memory_[at].get(), address), "dnnl_memory_set_data_handle");
    }
    check(dnnl_primitive_execute(primitive_.get(), stream, count_, arguments_.data()),
          "dnnl_primitive_execute");
  }

 private:
  static MemoryDescription describe(int rank, Index batch, Index rows, Index columns,
                                    dnnl_data_type_t type, bool transposed, Index stored_row = 0) {
    const Index length = transposed ? rows : columns;
    const dnnl_dim_t from_row_to_row = stored_row == 0 ? length : stored_row;
    const dnnl_dim_t row = transposed ? 1 : from_row_to_row;
    const dnnl_dim_t column = transposed ? from_row_to_row : 1;
    const std::array<dnnl_dim_t, 3> extents{batch, rows, columns};
    const std::array<dnnl_dim_t, 3> strides{rows * columns, row, column};
    const std::size_t first = rank == 2 ? 1 : 0;
    return {rank, extents.data() + first, type, strides.data() + first};
  }

  /// alpha, then beta C; oneDNN adds the bias before both.
  static Owned<dnnl_primitive_attr_t> post_operations(const MatmulKey& key) {
    const GemmProblem& p = key.problem;
    dnnl_primitive_attr_t attributes = nullptr;
    check(dnnl_primitive_attr_create(&attributes), "dnnl_primitive_attr_create");
    Owned<dnnl_primitive_attr_t> owned(attributes);
    dnnl_post_ops_t operations = nullptr;
    check(dnnl_post_ops_create(&operations), "dnnl_post_ops_create");
    const Owned<dnnl_post_ops_t> owned_operations(operations);
    if (p.alpha != 1.0f) {
#if DNNL_VERSION_MAJOR >= 3
      check(dnnl_post_ops_append_eltwise(operations, dnnl_eltwise_linear, p.alpha, 0.0f),
            "dnnl_post_ops_append_eltwise");
#else
      check(dnnl_post_ops_append_eltwise(operations, 1.0f, dnnl_eltwise_linear, p.alpha, 0.0f),
            "dnnl_post_ops_append_eltwise");
#endif
    }
    if (p.beta != 0.0f) {
#if DNNL_VERSION_MAJOR >= 3
      check(dnnl_post_ops_append_sum(operations, p.beta, 0, dnnl_data_type_undef),
            "dnnl_post_ops_append_sum");
#else
      check(dnnl_post_ops_append_sum(operations, p.beta), "dnnl_post_ops_append_sum");
#endif
    }
    check(dnnl_primitive_attr_set_post_ops(attributes, operations),
          "dnnl_primitive_attr_set_post_ops");
    return owned;
  }
  void add(int argument, const MemoryDescription& description) {
    dnnl_memory_t memory = nullptr;
    check(dnnl_memory_create(&memory, description.get(), engine(), DNNL_MEMORY_NONE),
          "dnnl_memory_create");
    const auto at = static_cast<std::size_t>(count_++);
    memory_[at].reset(memory);
    arguments_[at] = {argument, memory};
  }

  Owned<dnnl_primitive_t> primitive_;
  std::array<Owned<dnnl_memory_t>, 4> memory_;
  std::array<dnnl_exec_arg_t, 4> arguments_{};
  int count_ = 0;
};

}  // namespace halfstep
