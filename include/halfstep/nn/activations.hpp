#pragma once

#include <halfstep/autograd/activation.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

// Activations as function objects, for Sequential and for layers that take one as a parameter.

struct Relu {
  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return relu(x);
  }
};

struct Gelu {
  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return gelu(x);
  }
};

struct Tanh {
  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return tanh(x);
  }
};

struct Sigmoid {
  template <class S, class B>
  Variable<S, B> operator()(const Variable<S, B>& x) const {
    return sigmoid(x);
  }
};

}  // namespace halfstep
