#pragma once

#include <halfstep/numeric/storage_cast.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::reference {

/// sum + a b, rounded to the accumulator.
template <class Accumulator, class In>
Accumulator add_product(Accumulator sum, In a, In b) {
  if constexpr (numeric_traits<Accumulator>::is_16_bit) {
    // Exact in double up to the one rounding that is meant.
    return storage_cast<Accumulator>(storage_cast<double>(sum) +
                                     storage_cast<double>(a) * storage_cast<double>(b));
  } else {
    return sum + storage_cast<Accumulator>(a) * storage_cast<Accumulator>(b);
  }
}

}  // namespace halfstep
