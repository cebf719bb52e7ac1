#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/packet.hpp>

#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What our own loops are compiled for.
enum class InstructionSet { baseline, avx2, avx512 };

constexpr std::string_view name(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx2:
      return "AVX2";
    case InstructionSet::avx512:
      return "AVX-512";
    default:
      return "baseline";
  }
}

inline bool is_supported([[maybe_unused]] InstructionSet set) {
#if defined(HALFSTEP_X86)
  // A processor with AVX2 and FMA has F16C, which clang 14 cannot ask for.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (set == InstructionSet::avx2) return avx2;
  if (set == InstructionSet::avx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return set == InstructionSet::baseline;
}

/// The best that this machine has; the processor is asked once.
inline InstructionSet instruction_set() {
  static const InstructionSet best = is_supported(InstructionSet::avx512) ? InstructionSet::avx512
                                     : is_supported(InstructionSet::avx2)
                                         ? InstructionSet::avx2
                                         : InstructionSet::baseline;
  return best;
}

/// Everything that this machine has, for tests: baseline first.
inline std::vector<InstructionSet> supported_instruction_sets() {
  std::vector<InstructionSet> sets;
  for (const InstructionSet set :
       {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_supported(set)) sets.push_back(set);
  }
  return sets;
}

}  // namespace halfstep

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

// The kernel is copied so that its settings live in registers: the compiler need not fear that the
// loop's stores change them.

template <class Kernel, class... Args>
inline auto run_baseline(const Kernel& kernel, Args&... args) {
  const Kernel local = kernel;
  return local.template operator()<Packet<Baseline>>(args...);
}
#if defined(HALFSTEP_X86)
template <class Kernel, class... Args>
HALFSTEP_TARGET_AVX2 inline auto run_avx2(const Kernel& kernel, Args&... args) {
  const Kernel local = kernel;
  return local.template operator()<Packet<Avx2>>(args...);
}
template <class Kernel, class... Args>
HALFSTEP_TARGET_AVX512 inline auto run_avx512(const Kernel& kernel, Args&... args) {
  const Kernel local = kernel;
  return local.template operator()<Packet<Avx512>>(args...);
}
#endif

/// Calls `kernel.template operator()<N>(args...)` with N the packet of an instruction set, in a
/// function compiled for it. The call operator must be HALFSTEP_INLINE, and so must everything that
/// takes or returns packets; it may return a scalar.
///
/// @param set  one that this machine supports
template <class Kernel, class... Args>
inline auto run_on([[maybe_unused]] InstructionSet set, const Kernel& kernel, Args&&... args) {
#if defined(HALFSTEP_DEVICE_PASS)
  return kernel.template operator()<float>(args...);  // never runs: it only gives the type
#else
#if defined(HALFSTEP_X86)
  if (set == InstructionSet::avx512) return run_avx512(kernel, args...);
  if (set == InstructionSet::avx2) return run_avx2(kernel, args...);
#endif
  return run_baseline(kernel, args...);
#endif
}

/// run for a loop that waits for memory: AVX2 is as fast there, and AVX-512 is not compiled.
template <class Kernel, class... Args>
inline auto run_memory_bound(const Kernel& kernel, Args&&... args) {
#if defined(HALFSTEP_DEVICE_PASS)
  return kernel.template operator()<float>(args...);  // never runs: it only gives the type
#else
#if defined(HALFSTEP_X86)
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
  if (instruction_set() == InstructionSet::baseline) return run_baseline(kernel, args...);
#endif
  return run_avx2(kernel, args...);
#else
  return run_baseline(kernel, args...);
#endif
#endif
}

/// run_on with the best instruction set that this machine has.
template <class Kernel, class... Args>
inline auto run(const Kernel& kernel, Args&&... args) {
#if defined(HALFSTEP_X86) && !defined(HALFSTEP_DEVICE_PASS) && defined(__AVX2__) && \
    defined(__FMA__) && defined(__F16C__)
  // The baseline would never run: leave it uncompiled.
  if (instruction_set() == InstructionSet::avx512) return run_avx512(kernel, args...);
  return run_avx2(kernel, args...);
#else
  return run_on(instruction_set(), kernel, args...);
#endif
}

}  // namespace halfstep
