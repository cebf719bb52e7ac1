#pragma once

#include <halfstep/tensor/shape.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::data {

/// A place in a training run: the next batch of an epoch.
struct LoaderPosition {
  std::int64_t epoch = 0;
  Index batch = 0;

  friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
