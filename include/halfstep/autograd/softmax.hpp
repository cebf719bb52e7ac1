#pragma once

#include <halfstep/autograd/shape_operations.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// Softmax over an axis, or its logarithm.
template <class S, class B>
Variable<S, B> softmax_over(const char* name, const Variable<S, B>& x, int axis, bool logarithm) {
  require_elements(name, x);
  if (x.shape().normal(axis) != x.shape().rank() - 1)
    return transpose(softmax_over(name, transpose(x, axis, -1), -1, logarithm), axis, -1);
  const bool wanted = recorded(name, x);
  const Index n = x.shape()[-1];
  const Index rows = x.size() / n;
  TensorOf<S, B> y(x.shape());
  B::softmax(rows, n, logarithm, x.value().data(), y.data());
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x);
  const TensorOf<S, B> saved = y;
  return record<B, S>(
      name, std::move(y),
      [rows, n, logarithm, saved](const TensorOf<S, B>& g, Slot<S, B>* slot) {
        const auto to = slot->destination();
        B::softmax_backward(rows, n, logarithm, saved.data(), g.data(), to.view.data(),
                            to.accumulate);
      },
      x);
}

}  // namespace autograd

/// exp(x_j) / sum over j of exp(x_j), over an axis (by default the last).
/// @throws ShapeError  there is no such axis
/// @numerics  in the compute type, the largest element subtracted; one rounding at the store
template <class S, class B>
Variable<S, B> softmax(const Variable<S, B>& x, int axis = -1) {
  return autograd::softmax_over("softmax", x, axis, false);
}

/// x_j - log sum over j of exp(x_j), over an axis (by default the last).
/// @throws ShapeError  there is no such axis
template <class S, class B>
Variable<S, B> log_softmax(const Variable<S, B>& x, int axis = -1) {
  return autograd::softmax_over("log_softmax", x, axis, true);
}

}  // namespace halfstep
