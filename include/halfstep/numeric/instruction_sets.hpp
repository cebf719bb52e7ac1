#pragma once

#include <halfstep/core/macros.hpp>

#include <cstddef>
#include <cstdint>

#if defined(HALFSTEP_X86)
#if defined(__clang__)
#include <immintrin.h>
#else
// GCC 12 warns about its own intrinsics.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif
#endif

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

// An instruction set is a tag with its vector types and the primitives that need its instructions.
// Primitives carry the target attribute and are plain inline: they become part of a kernel when the
// kernel itself is compiled for that target. They take references, so that no vector is passed
// where the calling convention depends on the target. Everything that vector operators can say (+,
// <, &) is in Packet instead, once for all.

/// Four lanes on plain vector extensions: any architecture, SSE2 on x86-64.
struct Baseline {
  static constexpr int lanes = 4;
  static constexpr bool fuses_multiply_add = false;
  typedef float Floats __attribute__((vector_size(16)));
  typedef std::int32_t Ints __attribute__((vector_size(16)));
  typedef std::uint32_t Words __attribute__((vector_size(16)));
  typedef float UnalignedFloats __attribute__((vector_size(16), aligned(4), may_alias));
  typedef std::uint32_t UnalignedWords __attribute__((vector_size(16), aligned(4), may_alias));
  typedef std::uint16_t Halves __attribute__((vector_size(8)));
  typedef std::uint16_t UnalignedHalves __attribute__((vector_size(8), aligned(2), may_alias));

  static inline void broadcast(float x, Floats& r) { r = Floats{x, x, x, x}; }
  static inline void broadcast(std::uint32_t x, Words& r) { r = Words{x, x, x, x}; }

  static inline void fused_multiply_add(const Floats& a, const Floats& b, const Floats& c,
                                        Floats& r) {
    r = a * b + c;
  }

  static inline void square_root(const Floats& x, Floats& r) {
#if defined(HALFSTEP_X86)
    r = _mm_sqrt_ps(x);
#else
    for (int i = 0; i < lanes; ++i) r[i] = __builtin_sqrtf(x[i]);
#endif
  }

  /// To the nearest integer, ties to even: adding 2^23 pushes the fraction out.
  static inline void round(const Floats& x, Floats& r) {
    const Words sign = (Words)x & 0x80000000u;
    const Floats magnitude = (Floats)((Words)x & 0x7FFFFFFFu);
    const Floats rounded = (magnitude + 0x1p23f) - 0x1p23f;
    r = (Floats)((Words)(magnitude < 0x1p23f ? rounded : magnitude) | sign);
  }

  static inline void floor(const Floats& x, Floats& r) {
    Floats nearest;
    round(x, nearest);
    // A difference of signed zeros must not change the sign of -0.
    r = nearest > x ? nearest - 1.0f : nearest;
  }

  static inline bool any(const Ints& mask) {
#if defined(HALFSTEP_X86)
    return _mm_movemask_ps((__m128)mask) != 0;
#else
    return (mask[0] | mask[1] | mask[2] | mask[3]) != 0;
#endif
  }

  static inline void multiply_high(const Words& a, const Words& b, Words& r) {
#if defined(HALFSTEP_X86)
    const __m128i x = (__m128i)a, y = (__m128i)b;
    const Words even = (Words)_mm_srli_epi64(_mm_mul_epu32(x, y), 32);
    const Words odd = (Words)_mm_mul_epu32(_mm_srli_epi64(x, 32), _mm_srli_epi64(y, 32));
    r = even | (odd & Words{0, ~0u, 0, ~0u});
#else
    for (int i = 0; i < lanes; ++i) {
      r[i] = static_cast<std::uint32_t>((std::uint64_t{a[i]} * b[i]) >> 32);
    }
#endif
  }

  static inline void load_upper_halves(const void* p, Words& r) {
    r = __builtin_convertvector(*static_cast<const UnalignedHalves*>(p), Words) << 16;
  }
  /// Stores the lower 16 bits of every lane; the upper 16 are zero.
  static inline void store_upper_halves(const Words& words, void* p) {
    store_lower_halves(words >> 16, p);
  }
  static inline void store_lower_halves(const Words& words, void* p) {
#if defined(HALFSTEP_X86)
    // SSE2 packs with signed saturation only; sign-extended words pass it unchanged.
    const __m128i extended = (__m128i)((Ints)(words << 16) >> 16);
    _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packs_epi32(extended, extended));
#else
    *static_cast<UnalignedHalves*>(p) = __builtin_convertvector(words, Halves);
#endif
  }

  static inline void load_float16(const void* p, Floats& r) {
    const Words half = __builtin_convertvector(*static_cast<const UnalignedHalves*>(p), Words);
    const Words sign = (half & 0x8000u) << 16;
    const Words magnitude = half & 0x7FFFu;
    const Words quiet = (Words)(magnitude > 0x7C00u) & 0x400000u;
    const Words normal = (magnitude << 13) + (112u << 23);
    const Words special = ((magnitude << 13) | 0x7F800000u) | quiet;
    // A subnormal is a small integer times 2^-24: exact, and never a subnormal float.
    const Words subnormal = (Words)(__builtin_convertvector((Ints)magnitude, Floats) * 0x1p-24f);
    const Words finite = magnitude < 0x400u ? subnormal : normal;
    r = (Floats)((magnitude >= 0x7C00u ? special : finite) | sign);
  }
  static inline void store_float16(const Floats& x, void* p) {
    const Words word = (Words)x;
    const Words sign = (word >> 16) & 0x8000u;
    const Words magnitude = word & 0x7FFFFFFFu;
    const Words normal = ((magnitude + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13) - (112u << 10);
    // The last place of 0.5 is worth 2^-24, so the addition rounds as a subnormal half must.
    const Words subnormal = (Words)((Floats)magnitude + 0.5f) - 0x3F000000u;
    const Words nan = ((magnitude >> 13) & 0x3FFu) | 0x7E00u;
    const Words infinity = magnitude - magnitude + 0x7C00u;
    Words half = magnitude < 0x38800000u ? subnormal : normal;
    half = magnitude >= 0x477FF000u ? infinity : half;
    half = magnitude > 0x7F800000u ? nan : half;
    store_lower_halves(half | sign, p);
  }
};

#if defined(HALFSTEP_X86)

/// Eight lanes: AVX2, FMA and F16C.
struct Avx2 {
  static constexpr int lanes = 8;
  static constexpr bool fuses_multiply_add = true;
  using Half = Baseline;
  typedef float Floats __attribute__((vector_size(32)));
  typedef std::int32_t Ints __attribute__((vector_size(32)));
  typedef std::uint32_t Words __attribute__((vector_size(32)));
  typedef float UnalignedFloats __attribute__((vector_size(32), aligned(4), may_alias));
  typedef std::uint32_t UnalignedWords __attribute__((vector_size(32), aligned(4), may_alias));

  HALFSTEP_TARGET_AVX2 static inline void broadcast(float x, Floats& r) { r = _mm256_set1_ps(x); }
  HALFSTEP_TARGET_AVX2 static inline void broadcast(std::uint32_t x, Words& r) {
    r = (Words)_mm256_set1_epi32(static_cast<int>(x));
  }
  HALFSTEP_TARGET_AVX2 static inline void fused_multiply_add(const Floats& a, const Floats& b,
                                                             const Floats& c, Floats& r) {
    r = _mm256_fmadd_ps(a, b, c);
  }
  HALFSTEP_TARGET_AVX2 static inline void square_root(const Floats& x, Floats& r) {
    r = _mm256_sqrt_ps(x);
  }
  HALFSTEP_TARGET_AVX2 static inline void round(const Floats& x, Floats& r) {
    r = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  HALFSTEP_TARGET_AVX2 static inline void floor(const Floats& x, Floats& r) {
    r = _mm256_round_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  HALFSTEP_TARGET_AVX2 static inline bool any(const Ints& mask) {
    return _mm256_movemask_ps((__m256)mask) != 0;
  }
  HALFSTEP_TARGET_AVX2 static inline void multiply_high(const Words& a, const Words& b, Words& r) {
    const __m256i x = (__m256i)a, y = (__m256i)b;
    const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(x, y), 32);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(y, 32));
    r = (Words)_mm256_blend_epi32(even, odd, 0xAA);
  }
  HALFSTEP_TARGET_AVX2 static inline void halves(const Floats& x, Baseline::Floats& lower,
                                                 Baseline::Floats& upper) {
    lower = _mm256_castps256_ps128(x);
    upper = _mm256_extractf128_ps(x, 1);
  }
  HALFSTEP_TARGET_AVX2 static inline void load_upper_halves(const void* p, Words& r) {
    const __m128i halves = _mm_loadu_si128(static_cast<const __m128i*>(p));
    r = (Words)_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16);
  }
  HALFSTEP_TARGET_AVX2 static inline void store_upper_halves(const Words& words, void* p) {
    const __m256i upper =
        _mm256_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1,  //
                         2, 3, 6, 7, 10, 11, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i packed = _mm256_shuffle_epi8((__m256i)words, upper);
    const __m256i ordered = _mm256_permute4x64_epi64(packed, 0x08);
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_castsi256_si128(ordered));
  }
  HALFSTEP_TARGET_AVX2 static inline void load_float16(const void* p, Floats& r) {
    r = _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  HALFSTEP_TARGET_AVX2 static inline void store_float16(const Floats& x, void* p) {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
};

/// Sixteen lanes: AVX-512 F, BW, DQ and VL.
struct Avx512 {
  static constexpr int lanes = 16;
  static constexpr bool fuses_multiply_add = true;
  using Half = Avx2;
  typedef float Floats __attribute__((vector_size(64)));
  typedef std::int32_t Ints __attribute__((vector_size(64)));
  typedef std::uint32_t Words __attribute__((vector_size(64)));
  typedef float UnalignedFloats __attribute__((vector_size(64), aligned(4), may_alias));
  typedef std::uint32_t UnalignedWords __attribute__((vector_size(64), aligned(4), may_alias));

  HALFSTEP_TARGET_AVX512 static inline void broadcast(float x, Floats& r) { r = _mm512_set1_ps(x); }
  HALFSTEP_TARGET_AVX512 static inline void broadcast(std::uint32_t x, Words& r) {
    r = (Words)_mm512_set1_epi32(static_cast<int>(x));
  }
  HALFSTEP_TARGET_AVX512 static inline void fused_multiply_add(const Floats& a, const Floats& b,
                                                               const Floats& c, Floats& r) {
    r = _mm512_fmadd_ps(a, b, c);
  }
  HALFSTEP_TARGET_AVX512 static inline void square_root(const Floats& x, Floats& r) {
    r = _mm512_sqrt_ps(x);
  }
  HALFSTEP_TARGET_AVX512 static inline void round(const Floats& x, Floats& r) {
    r = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  HALFSTEP_TARGET_AVX512 static inline void floor(const Floats& x, Floats& r) {
    r = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  /// x 2^n for whole numbers n, rounded once.
  HALFSTEP_TARGET_AVX512 static inline void scale_by_power(const Floats& x, const Floats& n,
                                                           Floats& r) {
    r = _mm512_scalef_ps(x, n);
  }
  HALFSTEP_TARGET_AVX512 static inline bool any(const Ints& mask) {
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
  }
  HALFSTEP_TARGET_AVX512 static inline void multiply_high(const Words& a, const Words& b,
                                                          Words& r) {
    const __m512i x = (__m512i)a, y = (__m512i)b;
    const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(x, y), 32);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(y, 32));
    r = (Words)_mm512_mask_blend_epi32(0xAAAA, even, odd);
  }
  HALFSTEP_TARGET_AVX512 static inline void halves(const Floats& x, Avx2::Floats& lower,
                                                   Avx2::Floats& upper) {
    lower = _mm512_castps512_ps256(x);
    upper = _mm512_extractf32x8_ps(x, 1);
  }
  HALFSTEP_TARGET_AVX512 static inline void load_upper_halves(const void* p, Words& r) {
    const __m256i halves = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    r = (Words)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
  }
  HALFSTEP_TARGET_AVX512 static inline void store_upper_halves(const Words& words, void* p) {
    const __m512i upper = _mm512_srli_epi32((__m512i)words, 16);
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtepi32_epi16(upper));
  }
  /// Rounds to nearest even and keeps a NaN one.
  HALFSTEP_TARGET_AVX512 static inline void store_bfloat16(const Floats& x, void* p) {
    const __m512i word = (__m512i)x;
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(word, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    store_upper_halves((Words)_mm512_mask_or_epi32(rounded, nan, word, _mm512_set1_epi32(0x400000)),
                       p);
  }
  HALFSTEP_TARGET_AVX512 static inline void load_float16(const void* p, Floats& r) {
    r = _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  HALFSTEP_TARGET_AVX512 static inline void store_float16(const Floats& x, void* p) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
};

#endif

}  // namespace halfstep
