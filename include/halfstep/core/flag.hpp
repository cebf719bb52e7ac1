#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Sets a flag that other threads of the same pass may be setting too.
HALFSTEP_HOST_DEVICE inline void raise(std::int32_t* flag) {
#if defined(__CUDA_ARCH__)
  *flag = 1;  // threads of a grid that store one value need no order
#else
  __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
#endif
}

}  // namespace halfstep
