#pragma once

#include <halfstep/autograd/matmul.hpp>
#include <halfstep/autograd/of_layer.hpp>
#include <halfstep/ops/formulas_arithmetic.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What stands between the two products of a `feed_forward`: max(x, 0), or `gelu` in its form with
/// tanh.
enum class HiddenActivation : std::uint8_t { relu, gelu_tanh };

namespace autograd {

/// The extents of a feed_forward, whose inputs fit each other.
struct FeedForwardExtents {
  Index rows, in, hidden, out;
};

/// @throws ShapeError  the extents do not fit
template <class S, class B>
FeedForwardExtents feed_forward_extents(const Variable<S, B>& x, const Variable<S, B>& in_weight,
                                        const Variable<S, B>& in_bias,
                                        const Variable<S, B>& out_weight,
                                        const Variable<S, B>& out_bias) {
  require_elements("feed_forward", x, in_weight, out_weight);
  if (in_weight.shape().rank() != 2 || x.shape().rank() < 1 ||
      x.shape()[-1] != in_weight.shape()[1])
    fail<ShapeError>(OfLayer{"feed_forward"}, ": x ", described(x),
                     " does not fit the first weight ", described(in_weight),
                     "; it is [hidden, in] and the last extent of x must be in");
  const Index in = in_weight.shape()[1], hidden = in_weight.shape()[0];
  if (out_weight.shape().rank() != 2 || out_weight.shape()[1] != hidden)
    fail<ShapeError>(OfLayer{"feed_forward"}, ": the second weight ", described(out_weight),
                     " does not fit the first one ", described(in_weight),
                     "; they are [out, hidden] and [hidden, in]");
  const Index out = out_weight.shape()[0];
  require_parameter("feed_forward", "first bias", in_bias, Shape{hidden});
  require_parameter("feed_forward", "second bias", out_bias, Shape{out});
  return {x.size() / in, in, hidden, out};
}

}  // namespace autograd

/// y = activation(x in_weight^T + in_bias) out_weight^T + out_bias: two linear layers as one
/// operation, so that the activation, its derivative and the first bias's gradient are taken on the
/// products' ways out where the backend has it so.
///
/// @tparam Compute  what sums are kept in (float, double, tf32); by default the storage type's
/// @param x           [..., in]
/// @param in_weight   [hidden, in]
/// @param in_bias     [hidden], or an empty variable: none
/// @param out_weight  [out, hidden]
/// @param out_bias    [out], or an empty variable: none
/// @return  [..., out]
/// @throws ShapeError  the extents do not fit
/// @numerics  products and sums in Compute; the hidden numbers (for GELU also what it is taken of)
///            and their gradient are each stored, rounded once or, where the backend takes the
///            activation in a pass of its own, twice
template <class Compute = void, class S, class B>
Variable<S, B> feed_forward(const Variable<S, B>& x, const Variable<S, B>& in_weight,
                            const Variable<S, B>& in_bias, const Variable<S, B>& out_weight,
                            const Variable<S, B>& out_bias, HiddenActivation activation) {
  using Sum = autograd::ProductCompute<Compute, S>;
  using Tensor = TensorOf<S, B>;
  const bool wanted =
      autograd::recorded("feed_forward", x, in_weight, in_bias, out_weight, out_bias);
  const auto extents = autograd::feed_forward_extents(x, in_weight, in_bias, out_weight, out_bias);
  const auto [rows, in, hidden_units, out] = extents;

  // What GELU is taken of must be kept for its derivative; relu's is seen from its result.
  Tensor hidden(Shape{rows, hidden_units}), before;
  GemmProblem p{.m = rows, .n = hidden_units, .k = in, .transpose_b = true};
  if (activation == HiddenActivation::gelu_tanh) {
    if (wanted) before = Tensor(hidden.shape());
    B::template gemm_gelu<Sum>(p, x.value().data(), in_weight.value().data(), hidden.data(),
                               autograd::data_or_null(in_bias), before.data());
  } else {
    p.activation = Activation::relu;
    B::template gemm<Sum>(p, x.value().data(), in_weight.value().data(), hidden.data(),
                          autograd::data_or_null(in_bias));
  }
  Shape shape = x.shape();
  shape[-1] = out;
  Tensor y(shape);
  B::template gemm<Sum>({.m = rows, .n = out, .k = hidden_units, .transpose_b = true},
                        hidden.read().data(), out_weight.value().data(), y.data(),
                        autograd::data_or_null(out_bias));
  if (!wanted)
    return autograd::unrecorded<B, S>("feed_forward", std::move(y), x, in_weight, in_bias,
                                      out_weight, out_bias);
  return autograd::record<B, S>(
      "feed_forward", std::move(y),
      [extents, x = x.value(), in_weight = in_weight.value(), out_weight = out_weight.value(),
       hidden = std::move(hidden), before = std::move(before)](
          Tensor g, autograd::Slot<S, B>* to_x, autograd::Slot<S, B>* to_in_weight,
          autograd::Slot<S, B>* to_in_bias, autograd::Slot<S, B>* to_out_weight,
          autograd::Slot<S, B>* to_out_bias) mutable {
        const auto [rows, in, hidden_units, out] = extents;
        autograd::weight_and_bias_gradients<Sum>(rows, g, hidden, to_out_weight, to_out_bias);
        if (to_x == nullptr && to_in_weight == nullptr && to_in_bias == nullptr) return;

        // The gradient of what the activation is taken of: [rows, out] [out, hidden]. GELU's hidden
        // numbers are needed no more, and it takes their memory.
        const bool gelu = !before.empty();
        Tensor slope = gelu ? std::move(hidden) : Tensor(hidden.shape());
        S* bias_gradient = nullptr;
        bool add_to_bias = false;
        if (to_in_bias != nullptr) {
          const auto to = to_in_bias->destination();
          bias_gradient = to.view.data();
          add_to_bias = to.accumulate;
        }
        const GemmProblem back{.m = rows, .n = hidden_units, .k = out};
        if (gelu)
          B::template gemm_gelu_backward<Sum>(back, g.read().data(), out_weight.read().data(),
                                              slope.data(), before.read().data(), bias_gradient,
                                              add_to_bias);
        else
          B::template gemm_relu_backward<Sum>(back, g.read().data(), out_weight.read().data(),
                                              slope.data(), hidden.read().data(), bias_gradient,
                                              add_to_bias);
        g = before = hidden = Tensor();

        autograd::Slot<S, B>* const bias_is_done = nullptr;
        autograd::weight_and_bias_gradients<Sum>(rows, slope, x, to_in_weight, bias_is_done);
        if (to_x != nullptr)  // [rows, hidden] [hidden, in]
          autograd::product_into<Sum, S, B>({.m = rows, .n = in, .k = hidden_units}, slope,
                                            in_weight, to_x->destination());
      },
      x, in_weight, in_bias, out_weight, out_bias);
}

template <class Compute = void, class S, class S1, class S2, class S3, class S4, class B>
requires(MixedStorage<S, S1> || MixedStorage<S, S2> || MixedStorage<S, S3> ||
         MixedStorage<S, S4>) auto feed_forward(const Variable<S, B>& x, const Variable<S1, B>&,
                                                const Variable<S2, B>&, const Variable<S3, B>&,
                                                const Variable<S4, B>&, HiddenActivation) {
  static_assert(OneStorageType<S, S1>::value && OneStorageType<S, S2>::value &&
                OneStorageType<S, S3>::value && OneStorageType<S, S4>::value);
  return x;
}

}  // namespace halfstep
