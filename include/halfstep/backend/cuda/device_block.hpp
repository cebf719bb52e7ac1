#pragma once

#include <halfstep/backend/grid/warp_tile.hpp>
#include <halfstep/numeric/bfloat16.hpp>
#include <halfstep/numeric/float16.hpp>

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#if defined(__CUDACC__)
namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// The block of threads that a kernel's phases run in; see grid/block.hpp.
class DeviceBlock {
 public:
  template <class T>
  class PerThread {
   public:
    __device__ T& operator[](int) { return value_; }
    __device__ const T& operator[](int) const { return value_; }

   private:
    T value_;
    friend DeviceBlock;
  };

  /// Whether code compiled for what of __CUDA_ARCH_LIST__ runs on a GPU multiplies tiles of T: PTX
  /// of an older architecture knows no newer instructions.
  template <class T>
  static constexpr bool has_tensor_cores(int architecture) {
    int compiled = 0;
#if defined(__CUDA_ARCH_LIST__)
    for (const int listed : {__CUDA_ARCH_LIST__})
      if (listed / 10 <= architecture && listed / 10 > compiled) compiled = listed / 10;
#endif
    return compiled >= (std::is_same_v<T, bfloat16> ? 80 : 75);
  }

  __device__ Index index() const { return blockIdx.x; }
  __device__ Index blocks() const { return gridDim.x; }
  __device__ int threads() const { return static_cast<int>(blockDim.x); }

  template <class F>
  __device__ void each(const F& f) {
    f(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
  template <class F>
  __device__ void own(const F& f) {
    f(static_cast<int>(threadIdx.x));
  }
  __device__ void barrier() { __syncthreads(); }

  template <class T, int N, int Id>
  __device__ T* shared() {
    __shared__ alignas(16) unsigned char memory[N * sizeof(T)];
    return reinterpret_cast<T*>(memory);
  }
  template <class T>
  __device__ PerThread<T> exchange(const PerThread<T>& x, int offset) {
    PerThread<T> other;
    other.value_ = __shfl_xor_sync(0xFFFFFFFFu, x.value_, offset);
    return other;
  }

  // Before Ampere a copy goes through registers, and is done when it was started.
  __device__ void start_copy(void* to, const void* from, bool there) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0)
                 : "memory");
#else
    uint4 bytes = make_uint4(0, 0, 0, 0);
    if (there) bytes = *static_cast<const uint4*>(from);
    *static_cast<uint4*>(to) = bytes;
#endif
  }
  __device__ void await_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" : : : "memory");
#endif
  }
  static __device__ float exp2(float x) {
    asm("ex2.approx.ftz.f32 %0, %0;" : "+f"(x));
    return x;
  }

  template <class T>
  __device__ void load_left(PerThread<grid::WarpTile<T>>& to, const T* from, int step, int pitch) {
    using Tile = grid::WarpTile<T>;
    const int lane = lane_of_warp(), warp = static_cast<int>(threadIdx.x) / 32;
    std::uint32_t words[4];
    load_matrices(from + warp * step + Tile::named_row(lane) * pitch + Tile::named_column(lane),
                  words);
    unpack(words, to.value_);
  }
  template <class T>
  __device__ void load_right(PerThread<grid::WarpTile<T>>& to, const T* from, int pitch) {
    using Tile = grid::WarpTile<T>;
    const int lane = lane_of_warp();
    std::uint32_t words[4];
    load_matrices(from + Tile::named_right_row(lane) * pitch + Tile::named_right_column(lane),
                  words);
    unpack_right(words, to.value_);
  }
  template <class T>
  __device__ void load_right_transposed(PerThread<grid::WarpTile<T>>& to, const T* from,
                                        int pitch) {
    using Tile = grid::WarpTile<T>;
    const int lane = lane_of_warp();
    const T* const row = from + Tile::named_row(lane) * pitch + Tile::named_column(lane);
    std::uint32_t words[4];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(shared_address(row)));
    unpack_right(words, to.value_);
  }
  template <class T>
  __device__ void multiply_add(PerThread<grid::WarpTile<float>>& c,
                               const PerThread<grid::WarpTile<T>>& left,
                               const PerThread<grid::WarpTile<T>>& right) {
    std::uint32_t a[4], b[4];
    pack(left.value_, a);
    pack(right.value_, b);
    // The rows of b that its upper and its lower matrices hold are c's left and right columns.
    multiply_add<T>(c.value_.of, a, b[0], b[2]);
    multiply_add<T>(c.value_.of + 4, a, b[1], b[3]);
  }
  template <class T>
  __device__ void round(const PerThread<grid::WarpTile<float>>& from,
                        PerThread<grid::WarpTile<T>>& to) {
    std::uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      words[i] = rounded_pair<T>(from.value_.of[2 * i], from.value_.of[2 * i + 1]);
    unpack(words, to.value_);
  }

 private:
  static __device__ int lane_of_warp() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ unsigned shared_address(const void* memory) {
    return static_cast<unsigned>(__cvta_generic_to_shared(memory));
  }
  static __device__ void load_matrices(const void* row, std::uint32_t (&words)[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(shared_address(row)));
  }
  template <class T>
  static __device__ void unpack(const std::uint32_t (&words)[4], grid::WarpTile<T>& tile) {
#pragma unroll
    for (int e = 0; e < 8; ++e)
      tile.of[e] = T::from_bits(static_cast<std::uint16_t>(words[e / 2] >> (e % 2 * 16)));
  }
  template <class T>
  static __device__ void unpack_right(const std::uint32_t (&words)[4], grid::WarpTile<T>& tile) {
    std::uint32_t ordered[4];
#pragma unroll
    for (int n = 0; n < 4; ++n) ordered[grid::WarpTile<T>::right_register(n)] = words[n];
    unpack(ordered, tile);
  }
  template <class T>
  static __device__ void pack(const grid::WarpTile<T>& tile, std::uint32_t (&words)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      words[i] = tile.of[2 * i].bits | static_cast<std::uint32_t>(tile.of[2 * i + 1].bits) << 16;
  }

  /// c, 16 x 8, += a b^T, with b's first and last eight columns.
  template <class T>
  static __device__ void multiply_add(float* c, const std::uint32_t (&a)[4], std::uint32_t b_first,
                                      std::uint32_t b_last) {
#if __CUDA_ARCH__ >= 800
    if constexpr (std::is_same_v<T, bfloat16>)
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_first), "r"(b_last));
    else
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_first), "r"(b_last));
#elif __CUDA_ARCH__ >= 750
    // The halves of k one after the other. has_tensor_cores keeps BF16 away.
    if constexpr (std::is_same_v<T, float16>) {
      multiply_add_eight(c, a[0], a[1], b_first);
      multiply_add_eight(c, a[2], a[3], b_last);
    } else {
      __trap();
    }
#else
    __trap();
#endif
  }
  static __device__ void multiply_add_eight(float* c, std::uint32_t upper, std::uint32_t lower,
                                            std::uint32_t b) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(upper), "r"(lower), "r"(b));
  }
  /// Two neighbours, rounded to nearest even as storage_cast does.
  template <class T>
  static __device__ std::uint32_t rounded_pair(float first, float second) {
#if __CUDA_ARCH__ >= 800
    std::uint32_t word;
    if constexpr (std::is_same_v<T, bfloat16>)
      asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    else
      asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
#else
    return T(first).bits | static_cast<std::uint32_t>(T(second).bits) << 16;
#endif
  }
};

}  // namespace halfstep
#endif
