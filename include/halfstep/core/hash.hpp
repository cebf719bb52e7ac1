#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>
#include <initializer_list>

namespace halfstep::inline HALFSTEP_ABI {

/// One number of several, for tables whose keys have many parts; their order counts.
template <class Parts = std::initializer_list<std::int64_t>>
constexpr std::uint64_t hash_of(const Parts& parts) {
  std::uint64_t hash = 0;
  for (const std::int64_t part : parts)
    hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 32);
}

}  // namespace halfstep
