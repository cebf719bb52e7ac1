#pragma once

#include <halfstep/autograd/parameter_store.hpp>
#include <halfstep/core/random.hpp>

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI::nn {

// Initialisers fill new parameters in FP32; masters start from these values, not from rounded ones.
// A weight's first axis counts outputs; fan_in is the number of inputs to one output, fan_out the
// number of outputs that one input reaches.

/// The number of inputs to one output of a weight [out, in, ...].
inline Index fan_in(const Shape& shape) {
  return shape.rank() < 2 ? shape.size() : shape.size() / std::max<Index>(shape[0], 1);
}
/// The number of outputs that one input of a weight [out, in, ...] reaches.
inline Index fan_out(const Shape& shape) {
  return shape.rank() < 2 ? shape.size() : shape.size() / std::max<Index>(shape[1], 1);
}

/// Every element is `value`.
inline Initialiser constant(float value) {
  return [value](std::span<float> values, const Shape&, std::uint64_t) {
    std::fill(values.begin(), values.end(), value);
  };
}

/// Uniform in [-bound, bound).
inline Initialiser uniform(double bound) {
  return [bound](std::span<float> values, const Shape&, std::uint64_t seed) {
    RandomStream random(seed);
    for (float& value : values)
      value = static_cast<float>(bound * (2.0 * static_cast<double>(random.uniform()) - 1.0));
  };
}

/// Normal with mean 0.
inline Initialiser normal(double standard_deviation) {
  return [standard_deviation](std::span<float> values, const Shape&, std::uint64_t seed) {
    RandomStream random(seed);
    for (float& value : values)
      value = static_cast<float>(standard_deviation * static_cast<double>(random.normal()));
  };
}

/// Normal with variance 2 / fan_in, for ReLU (He et al., arXiv 1502.01852, equation 10).
inline Initialiser he_normal() {
  return [](std::span<float> values, const Shape& shape, std::uint64_t seed) {
    normal(std::sqrt(2.0 / static_cast<double>(fan_in(shape))))(values, shape, seed);
  };
}
/// Uniform with variance 2 / fan_in, for ReLU (He et al., arXiv 1502.01852).
inline Initialiser he_uniform() {
  return [](std::span<float> values, const Shape& shape, std::uint64_t seed) {
    uniform(std::sqrt(6.0 / static_cast<double>(fan_in(shape))))(values, shape, seed);
  };
}
/// Normal with variance 2 / (fan_in + fan_out) (Glorot, Bengio, AISTATS 2010, equation 12).
inline Initialiser xavier_normal() {
  return [](std::span<float> values, const Shape& shape, std::uint64_t seed) {
    normal(std::sqrt(2.0 / static_cast<double>(fan_in(shape) + fan_out(shape))))(values, shape,
                                                                                 seed);
  };
}
/// Uniform with variance 2 / (fan_in + fan_out) (Glorot, Bengio, AISTATS 2010, equation 16).
inline Initialiser xavier_uniform() {
  return [](std::span<float> values, const Shape& shape, std::uint64_t seed) {
    uniform(std::sqrt(6.0 / static_cast<double>(fan_in(shape) + fan_out(shape))))(values, shape,
                                                                                  seed);
  };
}

}  // namespace halfstep
