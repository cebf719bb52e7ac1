#pragma once

#include <halfstep/halfstep.hpp>

#include <span>

namespace app {

/// Numbers on the host as a tensor of a backend.
template <class Backend, class T>
halfstep::TensorOf<T, Backend> uploaded(std::span<const T> values, const halfstep::Shape& shape) {
  halfstep::TensorOf<T, Backend> tensor(shape);
  Backend::upload(values, tensor.data());
  return tensor;
}

/// The same as a model takes them: in its Setup's Activation type, rounded once.
template <class Setup>
halfstep::nn::Input<Setup> model_input(std::span<const float> values,
                                       const halfstep::Shape& shape) {
  using Backend = typename Setup::Backend;
  return halfstep::cast<typename Setup::Activation>(
      halfstep::Variable<float, Backend>(uploaded<Backend>(values, shape)));
}

}  // namespace app
