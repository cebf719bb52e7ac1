#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/dispatch.hpp>
#include <halfstep/numeric/packet.hpp>
#include <halfstep/numeric/storage_cast.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

/// out[i] = To(in[i]) on packets.
template <Storage From, Storage To>
struct ConvertKernel {
  template <class N>
  HALFSTEP_INLINE void operator()(const From* in, To* out, std::size_t n) const {
    for (std::size_t i = 0; i < n; i += static_cast<std::size_t>(lanes<N>)) {
      store_partial(load_partial<N>(in + i, n - i), out + i, n - i);
    }
  }
};

/// out[i] = To(in[i]), on the calling thread.
///
/// @param in, out  n numbers each; they must not overlap unless From and To are the same
/// @numerics  bit-equal to storage_cast on every instruction set: exact, or one rounding to nearest
///            even
template <Storage From, Storage To>
void convert(const From* in, To* out, std::size_t n) {
  if constexpr (std::same_as<From, To>) {
    if (n != 0) std::memmove(out, in, n * sizeof(To));
  } else if constexpr (std::same_as<From, double> || std::same_as<To, double>) {
    for (std::size_t i = 0; i < n; ++i) out[i] = storage_cast<To>(in[i]);
  } else {
    run(ConvertKernel<From, To>{}, in, out, n);
  }
}

}  // namespace halfstep
