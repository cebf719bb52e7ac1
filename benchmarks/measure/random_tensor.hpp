#pragma once

#include <halfstep/core/random.hpp>
#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace measure {

/// Standard normal values times `scale`: products of zeros would be timed too fast.
template <class T>
halfstep::Tensor<T> random_tensor(const halfstep::Shape& shape, std::uint64_t seed = 1,
                                  float scale = 1.0f) {
  halfstep::Tensor<T> tensor(shape);
  halfstep::RandomStream random(seed);
  for (T& value : tensor.span())
    value = halfstep::storage_cast<T>(scale * static_cast<float>(random.normal()));
  return tensor;
}

}  // namespace measure
