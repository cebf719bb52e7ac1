#pragma once

#include <halfstep/tensor/shape.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// What an optimizer's parameters take, in bytes.
struct MemoryUse {
  Index parameters = 0;  ///< their number, with what aligns each to a cache line
  Index weights = 0;
  Index gradients = 0;       ///< 0 before the first backward pass
  Index beside_weights = 0;  ///< masters, remainders or compensations
  Index moments = 0;

  Index bytes() const { return weights + gradients + beside_weights + moments; }
  double per_parameter() const {
    return parameters == 0 ? 0.0 : static_cast<double>(bytes()) / static_cast<double>(parameters);
  }
};

}  // namespace halfstep
