#pragma once

#include <halfstep/core/error.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

// The one file with calls of the operating system's own.
namespace halfstep::inline HALFSTEP_ABI {

/// Memory straight from the system, aligned to 64 bytes, or from 1 MiB on to 2 MiB and asked to be
/// in huge pages: an optimizer's pass over gigabytes would spend its time in TLB misses without.
inline void* allocate_system_memory(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const bool huge = bytes >= huge_page / 2;
  const std::size_t alignment = huge ? huge_page : 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr)
    fail<BackendError>("out of memory: ", bytes, " bytes were asked for; use a smaller batch");
#if defined(__linux__)
  if (huge) ::madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return memory;
}

inline void free_system_memory(void* memory) { std::free(memory); }

/// Address space that nobody may touch until it is opened; memory comes with the first write.
inline void* reserve_closed_memory(std::size_t bytes) {
#if defined(__linux__)
  void* memory =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    fail<BackendError>("out of address space: ", bytes, " bytes were asked for");
  return memory;
#else
  return allocate_system_memory(bytes);
#endif
}

/// Opens or closes what `reserve_closed_memory` gave. Without an operating system that can close
/// memory it stays open.
inline void open_memory([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes,
                        [[maybe_unused]] bool open) {
#if defined(__linux__)
  if (::mprotect(memory, bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
    fail<BackendError>("the system refused to change the protection of ", bytes, " bytes");
#endif
}

}  // namespace halfstep
