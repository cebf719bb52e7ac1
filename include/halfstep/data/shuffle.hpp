#pragma once

#include <halfstep/core/random.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::data {

/// Puts the elements in a random order, each order equally likely (Fisher and Yates), which the
/// seed and the stream (an epoch, say) determine on every machine.
template <class T>
void shuffle(std::span<T> elements, std::uint64_t seed, std::uint64_t stream) {
  // The stream's upper half keeps these numbers apart from those that a model draws of its seed.
  RandomStream random(seed, (std::uint64_t{0x73687566} << 32) + stream);
  for (std::size_t left = elements.size(); left > 1; --left)
    std::swap(elements[left - 1], elements[static_cast<std::size_t>(random.below(left))]);
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
