#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// How often a step's work was begun in which way, on a backend that has graphs.
struct GraphUse {
  std::int64_t direct = 0;    ///< operation by operation
  std::int64_t captured = 0;  ///< as a graph that was made for it
  std::int64_t replayed = 0;  ///< as a graph that was there
};

}  // namespace halfstep
