#pragma once

#include <halfstep/autograd/elementwise.hpp>
#include <halfstep/ops/formulas_activation.hpp>

namespace halfstep::inline HALFSTEP_ABI {

// @numerics  all in the compute type (FP32 for 16-bit storage), one rounding at the store

/// max(x, 0).
template <class S, class B>
Variable<S, B> relu(const Variable<S, B>& x) {
  return autograd::unary("relu", formulas::Relu{}, x);
}

/// x where x > 0, slope x elsewhere.
template <class S, class B>
Variable<S, B> leaky_relu(const Variable<S, B>& x, double slope = 0.01) {
  return autograd::unary("leaky_relu", formulas::LeakyRelu{slope}, x);
}

}  // namespace halfstep
