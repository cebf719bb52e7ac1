#pragma once

// nvcc cannot read oneDNN's C++ header, and a GPU's ceiling is its own library.
#if defined(HALFSTEP_ONEDNN) && !defined(__CUDACC__)
#include <oneapi/dnnl/dnnl.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace measure {

inline void check(dnnl_status_t status, const char* call) {
  if (status == dnnl_success) return;
  std::fprintf(stderr, "oneDNN: %s returned status %d\n", call, static_cast<int>(status));
  std::exit(1);
}

/// C [m, n] = op(A) op(B), or a batch of them, by oneDNN's matmul alone, plain layouts, called
/// straight: the ceiling of our own products. It shares nothing with the library.
class StraightMatmul {
 public:
  struct Problem {
    dnnl_dim_t m, n, k;
    bool transpose_a = false, transpose_b = false;
    dnnl_dim_t batch = 1;
  };

  StraightMatmul(const Problem& p, dnnl_data_type_t type) {
    check(dnnl_engine_create(&engine_, dnnl_cpu, 0), "dnnl_engine_create");
    check(dnnl_stream_create(&stream_, engine_, dnnl_stream_default_flags), "dnnl_stream_create");
    const int rank = p.batch == 1 ? 2 : 3;
    const auto extents = [&](dnnl_dim_t rows, dnnl_dim_t columns) {
      return rank == 2 ? std::array<dnnl_dim_t, 3>{rows, columns}
                       : std::array<dnnl_dim_t, 3>{p.batch, rows, columns};
    };
    const auto a_extents = extents(p.m, p.k), b_extents = extents(p.k, p.n),
               c_extents = extents(p.m, p.n);
    const dnnl_format_tag_t plain = rank == 2 ? dnnl_ab : dnnl_abc;
    const dnnl_format_tag_t transposed = rank == 2 ? dnnl_ba : dnnl_acb;
    const dnnl_format_tag_t a_tag = p.transpose_a ? transposed : plain;
    const dnnl_format_tag_t b_tag = p.transpose_b ? transposed : plain;
    dnnl_primitive_desc_t description = nullptr;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t a = nullptr, b = nullptr, c = nullptr;
    check(dnnl_memory_desc_create_with_tag(&a, rank, a_extents.data(), type, a_tag), "memory_desc");
    check(dnnl_memory_desc_create_with_tag(&b, rank, b_extents.data(), type, b_tag), "memory_desc");
    check(dnnl_memory_desc_create_with_tag(&c, rank, c_extents.data(), type, plain), "memory_desc");
    check(dnnl_matmul_primitive_desc_create(&description, engine_, a, b, nullptr, c, nullptr),
          "dnnl_matmul_primitive_desc_create");
    make(description, a, b, c);
    for (dnnl_memory_desc_t d : {a, b, c}) dnnl_memory_desc_destroy(d);
#else
    dnnl_memory_desc_t a, b, c;
    check(dnnl_memory_desc_init_by_tag(&a, rank, a_extents.data(), type, a_tag), "memory_desc");
    check(dnnl_memory_desc_init_by_tag(&b, rank, b_extents.data(), type, b_tag), "memory_desc");
    check(dnnl_memory_desc_init_by_tag(&c, rank, c_extents.data(), type, plain), "memory_desc");
    dnnl_matmul_desc_t product;
    check(dnnl_matmul_desc_init(&product, &a, &b, nullptr, &c), "dnnl_matmul_desc_init");
    check(dnnl_primitive_desc_create(&description, &product, nullptr, engine_, nullptr),
          "dnnl_primitive_desc_create");
    make(description, &a, &b, &c);
#endif
    check(dnnl_primitive_desc_destroy(description), "dnnl_primitive_desc_destroy");
  }
  StraightMatmul(const StraightMatmul&) = delete;
  StraightMatmul& operator=(const StraightMatmul&) = delete;
  ~StraightMatmul() {
    for (dnnl_exec_arg_t& argument : arguments_) dnnl_memory_destroy(argument.memory);
    dnnl_primitive_destroy(primitive_);
    dnnl_stream_destroy(stream_);
    dnnl_engine_destroy(engine_);
  }

  void operator()(const void* a, const void* b, void* c) const {
    dnnl_memory_set_data_handle(arguments_[0].memory, const_cast<void*>(a));
    dnnl_memory_set_data_handle(arguments_[1].memory, const_cast<void*>(b));
    dnnl_memory_set_data_handle(arguments_[2].memory, c);
    check(dnnl_primitive_execute(primitive_, stream_, 3, arguments_), "dnnl_primitive_execute");
    check(dnnl_stream_wait(stream_), "dnnl_stream_wait");
  }

  /// Whether this processor's oneDNN multiplies BF16.
  static bool has_bfloat16() {
    dnnl_engine_t engine = nullptr;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create");
    const dnnl_dims_t extents{64, 64};
    dnnl_primitive_desc_t description = nullptr;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t x = nullptr;
    check(dnnl_memory_desc_create_with_tag(&x, 2, extents, dnnl_bf16, dnnl_ab), "memory_desc");
    const bool has = dnnl_matmul_primitive_desc_create(&description, engine, x, x, nullptr, x,
                                                       nullptr) == dnnl_success;
    dnnl_memory_desc_destroy(x);
#else
    dnnl_memory_desc_t x;
    check(dnnl_memory_desc_init_by_tag(&x, 2, extents, dnnl_bf16, dnnl_ab), "memory_desc");
    dnnl_matmul_desc_t product;
    check(dnnl_matmul_desc_init(&product, &x, &x, nullptr, &x), "dnnl_matmul_desc_init");
    const bool has = dnnl_primitive_desc_create(&description, &product, nullptr, engine, nullptr) ==
                     dnnl_success;
#endif
    if (has) dnnl_primitive_desc_destroy(description);
    dnnl_engine_destroy(engine);
    return has;
  }

 private:
  template <class Description>
  void make(dnnl_primitive_desc_t product, Description a, Description b, Description c) {
    check(dnnl_primitive_create(&primitive_, product), "dnnl_primitive_create");
    const int names[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    const Description descriptions[3] = {a, b, c};
    for (int i = 0; i < 3; ++i) {
      arguments_[i].arg = names[i];
      check(dnnl_memory_create(&arguments_[i].memory, descriptions[i], engine_, DNNL_MEMORY_NONE),
            "dnnl_memory_create");
    }
  }

  dnnl_engine_t engine_ = nullptr;
  dnnl_stream_t stream_ = nullptr;
  dnnl_primitive_t primitive_ = nullptr;
  dnnl_exec_arg_t arguments_[3] = {};
};

}  // namespace measure
#endif
