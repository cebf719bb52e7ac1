#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/core/macros.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Ceilings that a benchmark prints beside its own rate: what this machine does at this moment with
// nothing but the memory traffic. They use halfstep's threads and none of its loops.
namespace measure {

/// Calls f(first, last) on equal shares of [0, n), one for each thread.
template <class F>
void on_each_thread(int threads, std::size_t n, const F& f) {
  const auto shares = static_cast<halfstep::Index>(threads);
  halfstep::backend::cpu::parallel_for(shares, 1, [&](halfstep::Index i, halfstep::Index) {
    const auto share = static_cast<std::size_t>(i);
    const auto count = static_cast<std::size_t>(shares);
    f(n * share / count, n * (share + 1) / count);
  });
}

/// A plain copy: reads and writes `bytes` each.
inline void copy(int threads, const void* from, void* to, std::size_t bytes) {
  on_each_thread(threads, bytes, [&](std::size_t first, std::size_t last) {
    std::memcpy(static_cast<char*>(to) + first, static_cast<const char*>(from) + first,
                last - first);
  });
}

// 32-byte vectors: the compiler splits them where the processor is narrower.
typedef std::uint32_t Words __attribute__((vector_size(32), may_alias));

#if defined(HALFSTEP_X86)
#define HALFSTEP_PROBE __attribute__((target_clones("avx2", "default")))
#else
#define HALFSTEP_PROBE __attribute__((noinline))
#endif

/// The exclusive or of n vectors, n a multiple of 8: a read and next to no arithmetic.
HALFSTEP_PROBE inline std::uint32_t read_share(const Words* x, std::size_t n) {
  Words sums[8] = {};
  for (std::size_t i = 0; i < n; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] ^= x[i + j];
  for (std::size_t j = 1; j < 8; ++j) sums[0] ^= sums[j];
  return sums[0][0] ^ sums[0][7];
}

/// A plain read of `bytes`, a multiple of 256. Threads take pieces of 128 KiB from a queue: with
/// halves, a neighbour on one of the processors would make this slower than what it is a ceiling
/// of.
inline std::uint32_t read(const void* from, std::size_t bytes) {
  std::atomic<std::uint32_t> all{0};
  const auto* words = static_cast<const Words*>(from);
  halfstep::backend::cpu::parallel_for(
      static_cast<halfstep::Index>(bytes / 256), 512,
      [&](halfstep::Index first, halfstep::Index last) {
        all ^= read_share(words + first * 8, static_cast<std::size_t>(last - first) * 8);
      });
  return all;
}

/// Reads n vectors of each of three arrays and half as many of a fourth, and writes as much: the
/// traffic of AdamW on 16-bit weights and gradients with FP32 masters and moments, 28 bytes for
/// each parameter, with one addition for each number.
HALFSTEP_PROBE inline void update_share(Words* master, Words* first_moment, Words* second_moment,
                                        const Words* gradient, Words* weight, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 2) {
    const Words g = gradient[i / 2];
    weight[i / 2] = g + 1;
    for (std::size_t j = i; j < i + 2; ++j) {
      master[j] += g;
      first_moment[j] += g;
      second_moment[j] += g;
    }
  }
}

#undef HALFSTEP_PROBE

}  // namespace measure
