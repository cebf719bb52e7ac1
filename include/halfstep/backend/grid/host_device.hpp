#pragma once

#include <halfstep/backend/grid/block_cache.hpp>
#include <halfstep/tensor/device.hpp>

#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend::grid {

/// What a BlockCache allocates from where there is no GPU: memory that holds NaN in every storage
/// type until it is written.
struct HostMemory {
  static void* allocate(std::size_t bytes) try {
    void* memory = allocate_system_memory(bytes);
    std::memset(memory, 0xFF, bytes);
    return memory;
  } catch (const BackendError&) {
    return nullptr;  // the cache may have what is missing
  }
  static void free(void* memory) { free_system_memory(memory); }
  /// Nobody has counted: the system refuses by itself.
  static FreeMemory free_memory() { return {}; }
};

}  // namespace backend::grid

namespace device {

/// The memory of `backend::HostGrid`: the host's own, but only uploads and downloads reach it, as
/// they do a GPU's.
struct HostGrid {
  static constexpr std::string_view name = "host_grid";
  static constexpr bool host_accessible = false;
  using Pool = backend::grid::BlockCache<backend::grid::HostMemory>;
  /// Never destroyed: tensors with static storage may outlive everything else.
  static Pool& pool() {
    static Pool* const pool = new Pool;
    return *pool;
  }
};

}  // namespace device
}  // namespace halfstep
