#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/backend/reference.hpp>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// All operations but the product.
struct CpuLoops : Reference {
  template <class F, class... Arguments>
  static void for_each_element(Index n, const F& f, Arguments... arrays) {
    cpu::for_each_element(n, f, arrays...);
  }
};

}  // namespace backend
}  // namespace halfstep
