#pragma once

#include <halfstep/core/version.hpp>

// Finite checks are the foundation of loss scaling, and -ffast-math lets the compiler delete them.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "halfstep: -ffast-math (-ffinite-math-only) deletes the inf and NaN checks; remove it"
#endif
#if __cplusplus < 202002L
#error "halfstep: C++20 is needed; compile with -std=c++20"
#endif
#if defined(HALFSTEP_OPENMP) && !defined(_OPENMP)
#error "halfstep: HALFSTEP_OPENMP is defined but OpenMP is off; compile with -fopenmp"
#endif

// The inline namespace that holds everything is named after what changes definitions, so that two
// translation units that disagree fail at link instead of misbehaving.
#if defined(HALFSTEP_ONEDNN)
#define HALFSTEP_ABI_BACKEND onednn
#else
#define HALFSTEP_ABI_BACKEND eigen
#endif
#if defined(HALFSTEP_OPENMP)
#define HALFSTEP_ABI_THREADS openmp
#else
#define HALFSTEP_ABI_THREADS pool
#endif
#if defined(HALFSTEP_ZLIB)
#define HALFSTEP_ABI_FILES zlib
#else
#define HALFSTEP_ABI_FILES plain
#endif
#if defined(HALFSTEP_CUDNN)
#define HALFSTEP_ABI_CONVOLUTIONS cudnn
#else
#define HALFSTEP_ABI_CONVOLUTIONS windows
#endif
#define HALFSTEP_JOIN_NAMES(major, minor, backend, threads, files, convolutions) \
  v##major##_##minor##_##backend##_##threads##_##files##_##convolutions
#define HALFSTEP_JOIN(major, minor, backend, threads, files, convolutions) \
  HALFSTEP_JOIN_NAMES(major, minor, backend, threads, files, convolutions)
#define HALFSTEP_ABI                                                                  \
  HALFSTEP_JOIN(HALFSTEP_VERSION_MAJOR, HALFSTEP_VERSION_MINOR, HALFSTEP_ABI_BACKEND, \
                HALFSTEP_ABI_THREADS, HALFSTEP_ABI_FILES, HALFSTEP_ABI_CONVOLUTIONS)

// Packets and the loops over them are laid out by the instruction set that the translation unit is
// compiled for; their inline namespace says which.
#if defined(__AVX512F__)
#define HALFSTEP_ISA compiled_for_avx512
#elif defined(__AVX2__)
#define HALFSTEP_ISA compiled_for_avx2
#else
#define HALFSTEP_ISA compiled_for_baseline
#endif

#if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
#define HALFSTEP_X86 1
#define HALFSTEP_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define HALFSTEP_TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#endif

/// A functor's call operator: inlined into the loop that is compiled for an instruction set.
#define HALFSTEP_INLINE inline __attribute__((always_inline))

#if defined(__CUDACC__)
#define HALFSTEP_HOST_DEVICE __host__ __device__
/// Before a template that calls what it is given, be that for the host alone or for both.
#define HALFSTEP_CALLS_EITHER _Pragma("nv_exec_check_disable")
#if defined(__CUDA_ARCH__)
// nvcc reads host code once more for the device, where no vector type may meet a device function.
#define HALFSTEP_DEVICE_PASS 1
#endif
#else
#define HALFSTEP_HOST_DEVICE
#define HALFSTEP_CALLS_EITHER
#endif

/// Before a loop over what each thread of a GPU keeps in registers, which have no index.
#if defined(HALFSTEP_DEVICE_PASS)
#define HALFSTEP_UNROLL _Pragma("unroll")
#else
#define HALFSTEP_UNROLL
#endif
