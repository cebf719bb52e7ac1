#pragma once

#include <halfstep/autograd/gradient_flow.hpp>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// An operation in a message, with the layer that runs it: "layer_norm of 'block.norm'".
struct OfLayer {
  const char* operation;
  friend std::ostream& operator<<(std::ostream& out, const OfLayer& named) {
    out << named.operation;
    if (!name_path().empty()) out << " of '" << name_path() << "'";
    return out;
  }
};

/// @throws ShapeError  a weight or bias that is there has another shape
template <class T, class B>
void require_parameter(const char* name, const char* which, const Variable<T, B>& parameter,
                       const Shape& shape) {
  if (!parameter.value().empty() && parameter.shape() != shape)
    fail<ShapeError>(OfLayer{name}, ": the ", which, " ", described(parameter), " must be ", shape);
}
/// The memory of an input that may be missing.
template <class T, class B>
const T* data_or_null(const Variable<T, B>& x) {
  return x.value().empty() ? nullptr : x.value().data();
}

}  // namespace halfstep
