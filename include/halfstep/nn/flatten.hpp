#pragma once

#include <halfstep/autograd/shape_operations.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// [batch, ...] as [batch, the product of the other extents]; nothing is copied.
struct Flatten {
  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    if (x.shape().rank() == 0) fail<ShapeError>("Flatten: a scalar has no batch; reshape it");
    return reshape(x, {x.shape()[0], -1});
  }
};

}  // namespace halfstep
