#pragma once

#include <halfstep/core/random.hpp>
#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/backend.hpp>

#include <type_traits>

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

/// x = scale times a normal number that depends on the element alone.
struct NormalNumbers {
  std::uint64_t seed;
  float scale;

  HALFSTEP_HOST_DEVICE void operator()(halfstep::Index at, float& x) const {
    const auto pair = static_cast<std::uint64_t>(at) / 2;
    const halfstep::PhiloxBlock words =
        halfstep::Philox(seed)(halfstep::Philox::counter(pair / 2, 0));
    const int first = pair % 2 == 0 ? 0 : 2;
    const halfstep::NormalPair two = halfstep::normal_pair(words[first], words[first + 1]);
    x = scale * (at % 2 == 0 ? two.first : two.second);
  }
};

/// The same on a backend's device: drawn where it lies, since the host would take minutes for what
/// fills a GPU.
template <class T, class Backend>
halfstep::TensorOf<T, Backend> random_tensor_on(const halfstep::Shape& shape,
                                                std::uint64_t seed = 1, float scale = 1.0f) {
  if constexpr (Backend::DeviceType::host_accessible) {
    return random_tensor<T>(shape, seed, scale);
  } else {
    halfstep::TensorOf<T, Backend> tensor(shape);
    Backend::for_each_element(tensor.size(), NormalNumbers{seed, scale},
                              halfstep::Out<T>{tensor.data()});
    return tensor;
  }
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

/// The same on a backend's device.
template <class Backend>
halfstep::TensorOf<std::int32_t, Backend> random_classes_on(const halfstep::Shape& shape,
                                                            halfstep::Index classes,
                                                            std::uint64_t seed) {
  const halfstep::Tensor<std::int32_t> drawn = random_classes(shape, classes, seed);
  if constexpr (Backend::DeviceType::host_accessible) {
    return drawn;
  } else {
    halfstep::TensorOf<std::int32_t, Backend> tensor(shape);
    Backend::upload(drawn.span(), tensor.data());
    return tensor;
  }
}

}  // namespace measure
