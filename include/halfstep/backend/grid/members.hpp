#pragma once

#include <halfstep/core/macros.hpp>

#include <cstddef>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// Members of several types, as std::tuple, which is not trivially copyable: kernels go to the
/// device byte by byte.
template <class... T>
struct Members;
template <>
struct Members<> {};
template <class First, class... Rest>
struct Members<First, Rest...> {
  First first;
  Members<Rest...> rest;
};

inline Members<> members() { return {}; }
template <class First, class... Rest>
Members<First, Rest...> members(const First& first, const Rest&... rest) {
  return {first, members(rest...)};
}

template <std::size_t I, class M>
HALFSTEP_HOST_DEVICE constexpr auto& get(M& members) {
  if constexpr (I == 0)
    return members.first;
  else
    return get<I - 1>(members.rest);
}

}  // namespace halfstep
