#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/numeric/numeric_traits.hpp>

#include <oneapi/dnnl/dnnl.h>

#include <memory>
#include <type_traits>

// The C API: dnnl.hpp takes fifty times as long to compile. Version 3 made descriptors opaque and
// moved arguments about; this header and the plans are all that knows.
namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn {

/// @throws BackendError  oneDNN refused
inline void check(dnnl_status_t status, const char* call) {
  if (status != dnnl_success)
    fail<BackendError>("oneDNN: ", call, " returned status ", static_cast<int>(status),
                       status == dnnl_out_of_memory ? " (out of memory; use a smaller batch)"
                       : status == dnnl_unimplemented
                           ? " (this processor has no such product; use backend::Eigen)"
                           : "");
}

/// Destroys what oneDNN made.
struct Destroy {
  void operator()(dnnl_engine_t x) const { dnnl_engine_destroy(x); }
  void operator()(dnnl_stream_t x) const { dnnl_stream_destroy(x); }
  void operator()(dnnl_memory_t x) const { dnnl_memory_destroy(x); }
  void operator()(dnnl_primitive_t x) const { dnnl_primitive_destroy(x); }
  // In version 2 a constant descriptor is another handle type, and only this one is owned.
  void operator()(dnnl_primitive_desc_t x) const { dnnl_primitive_desc_destroy(x); }
  void operator()(dnnl_primitive_attr_t x) const { dnnl_primitive_attr_destroy(x); }
  void operator()(dnnl_post_ops_t x) const { dnnl_post_ops_destroy(x); }
#if DNNL_VERSION_MAJOR >= 3
  void operator()(dnnl_memory_desc_t x) const { dnnl_memory_desc_destroy(x); }
#endif
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

/// The processor. Destroyed with the process, after the plans of its threads.
inline dnnl_engine_t engine() {
  static const Owned<dnnl_engine_t> engine = [] {
    dnnl_engine_t created = nullptr;
    check(dnnl_engine_create(&created, dnnl_cpu, 0), "dnnl_engine_create");
    return Owned<dnnl_engine_t>(created);
  }();
  return engine.get();
}

#if DNNL_VERSION_MAJOR >= 3
using MemoryHandle = const_dnnl_memory_desc_t;
#else
using MemoryHandle = const dnnl_memory_desc_t*;
#endif

template <class T>
inline constexpr dnnl_data_type_t data_type = std::is_same_v<T, bfloat16> ? dnnl_bf16
                                              : std::is_same_v<T, float>  ? dnnl_f32
                                                                          : dnnl_data_type_undef;

/// The layout of an array: its extents with any strides, or a layout that the primitive chooses.
class MemoryDescription {
 public:
  MemoryDescription(int rank, const dnnl_dim_t* extents, dnnl_data_type_t type) {
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t created = nullptr;
    check(dnnl_memory_desc_create_with_tag(&created, rank, extents, type, dnnl_format_tag_any),
          "dnnl_memory_desc_create_with_tag");
    description_.reset(created);
#else
    check(dnnl_memory_desc_init_by_tag(&description_, rank, extents, type, dnnl_format_tag_any),
          "dnnl_memory_desc_init_by_tag");
#endif
  }
  MemoryDescription(int rank, const dnnl_dim_t* extents, dnnl_data_type_t type,
                    const dnnl_dim_t* strides) {
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t created = nullptr;
    check(dnnl_memory_desc_create_with_strides(&created, rank, extents, type, strides),
          "dnnl_memory_desc_create_with_strides");
    description_.reset(created);
#else
    check(dnnl_memory_desc_init_by_strides(&description_, rank, extents, type, strides),
          "dnnl_memory_desc_init_by_strides");
#endif
  }

#if DNNL_VERSION_MAJOR >= 3
  MemoryHandle get() const { return description_.get(); }

 private:
  Owned<dnnl_memory_desc_t> description_;
#else
  MemoryHandle get() const { return &description_; }

 private:
  dnnl_memory_desc_t description_;
#endif
};

}  // namespace halfstep
