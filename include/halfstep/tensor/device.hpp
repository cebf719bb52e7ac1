#pragma once

#include <halfstep/tensor/memory_pool.hpp>

#include <concepts>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

namespace device {

/// The host's own memory.
struct Cpu {
  static constexpr std::string_view name = "cpu";
  /// Whether the host may read and write this memory without asking a queue.
  static constexpr bool host_accessible = true;
  using Pool = MemoryPool<allocate_system_memory, free_system_memory>;
  /// Never destroyed: tensors with static storage may outlive everything else.
  static Pool& pool() {
    static Pool* const pool = new Pool;
    return *pool;
  }
};

}  // namespace device

/// Where a tensor's elements live.
template <class D>
concept Device = requires {
  { D::name } -> std::convertible_to<std::string_view>;
  { D::host_accessible } -> std::convertible_to<bool>;
  typename D::Pool;
  { D::pool() } -> std::same_as<typename D::Pool&>;
};

}  // namespace halfstep
