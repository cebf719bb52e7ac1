#pragma once

#include <halfstep/numeric/numeric_traits.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// Storage types that code is compiled for.
template <Storage... Types>
struct StorageList {
  template <class T>
  static constexpr bool has = (std::same_as<T, Types> || ...);
  /// This list with `T`, once.
  template <class T>
  static constexpr auto with() {
    if constexpr (has<T>)
      return StorageList{};
    else
      return StorageList<Types..., T>{};
  }
};

}  // namespace halfstep
