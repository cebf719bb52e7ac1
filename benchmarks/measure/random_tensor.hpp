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

/// Integers from 0 to below `classes`, evenly drawn: labels, or tokens.
inline halfstep::Tensor<std::int32_t> random_classes(const halfstep::Shape& shape,
                                                     halfstep::Index classes, std::uint64_t seed) {
  halfstep::Tensor<std::int32_t> tensor(shape);
  halfstep::RandomStream random(seed, 1);
  for (std::int32_t& label : tensor.span())
    label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(classes)));
  return tensor;
}

}  // namespace measure
