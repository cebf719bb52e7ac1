#pragma once

#include <halfstep/ops/backend.hpp>

#include <span>
#include <vector>

// Tests make their numbers and look at results on the host, whatever memory a backend computes in.
namespace halfstep::test {

/// A host tensor's numbers in the memory of backend B.
template <class B, class T>
TensorOf<T, B> on_device(const Tensor<T>& host) {
  TensorOf<T, B> tensor(host.shape());
  if (host.size() > 0) B::upload(host.span(), tensor.data());
  return tensor;
}

/// A list of numbers in the memory of backend B.
template <class B, class T>
TensorOf<T, B> on_device(const std::vector<T>& host) {
  TensorOf<T, B> tensor(Shape{static_cast<Index>(host.size())});
  if (!host.empty()) B::upload(std::span<const T>(host), tensor.data());
  return tensor;
}

/// What a tensor of backend B holds when all that was asked for is done.
template <class B, class T>
std::vector<T> on_host(const Tensor<T, typename B::DeviceType>& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.size()));
  B::synchronize();
  if (!values.empty()) B::download(tensor.data(), std::span<T>(values));
  return values;
}

}  // namespace halfstep::test
