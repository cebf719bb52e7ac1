#pragma once

#include <halfstep/autograd/elementwise.hpp>
#include <halfstep/ops/formulas_activation.hpp>

namespace halfstep::inline HALFSTEP_ABI {

// Where the derivative is taken from y, x is taken by value: a temporary's memory becomes y's.
// @numerics  all in the compute type (FP32 for 16-bit storage), one rounding at the store

/// max(x, 0).
template <class S, class B>
Variable<S, B> relu(Variable<S, B> x) {
  return autograd::unary("relu", formulas::Relu{}, std::move(x));
}

/// x where x > 0, slope x elsewhere.
template <class S, class B>
Variable<S, B> leaky_relu(const Variable<S, B>& x, double slope = 0.01) {
  return autograd::unary("leaky_relu", formulas::LeakyRelu{slope}, x);
}

/// The hyperbolic tangent.
template <class S, class B>
Variable<S, B> tanh(Variable<S, B> x) {
  return autograd::unary("tanh", formulas::Tanh{}, std::move(x));
}

/// 1 / (1 + exp(-x)).
template <class S, class B>
Variable<S, B> sigmoid(Variable<S, B> x) {
  return autograd::unary("sigmoid", formulas::Sigmoid{}, std::move(x));
}

/// x sigmoid(x), also called swish.
template <class S, class B>
Variable<S, B> silu(const Variable<S, B>& x) {
  return autograd::unary("silu", formulas::Silu{}, x);
}

/// log(1 + exp(beta x)) / beta.
template <class S, class B>
Variable<S, B> softplus(const Variable<S, B>& x, double beta = 1.0) {
  return autograd::unary("softplus", formulas::Softplus{beta}, x);
}

/// x where x > 0, alpha (exp(x) - 1) elsewhere.
template <class S, class B>
Variable<S, B> elu(const Variable<S, B>& x, double alpha = 1.0) {
  return autograd::unary("elu", formulas::Elu{alpha}, x);
}

/// Which formula `gelu` has: x Phi(x) by the error function, or its approximation by tanh.
enum class Gelu : std::uint8_t { erf, tanh };

/// x / 2 (1 + erf(x / sqrt 2)), or x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
template <class S, class B>
Variable<S, B> gelu(const Variable<S, B>& x, Gelu form = Gelu::erf) {
  return form == Gelu::erf ? autograd::unary("gelu", formulas::GeluErf{}, x)
                           : autograd::unary("gelu", formulas::GeluTanh{}, x);
}

}  // namespace halfstep
