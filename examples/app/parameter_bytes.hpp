#pragma once

#include <cstddef>
#include <cstdint>

namespace app {

/// Bytes of a model's weights as they are stored.
template <class Model>
std::int64_t parameter_bytes(const Model& model) {
  std::size_t count = 0;
  model.parameters().store()->lay_out();
  model.parameters().store()->for_each_segment(
      [&](auto& segment) { count += static_cast<std::size_t>(segment.value_bytes()); });
  return static_cast<std::int64_t>(count);
}

}  // namespace app
