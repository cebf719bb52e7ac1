#pragma once

#include <halfstep/tensor/shape.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::data {

/// How batches are made.
struct LoaderSettings {
  Index batch_size = 32;
  /// Says, with the epoch, in which order samples come.
  std::uint64_t seed = 0;
  bool shuffle = true;
  /// Leave out the last batch of an epoch where it is smaller than the others.
  bool drop_last = false;
  /// How many batches a thread of the Loader's own prepares ahead; 0: no thread.
  Index prefetch = 2;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
