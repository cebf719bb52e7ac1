#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/autograd/loss_reduction.hpp>
#include <halfstep/ops/formulas_loss.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// The gradient of a loss, to one of its inputs.
template <class T, class B, class Pass, class X, class Target>
void contribute_loss(Slot<T, B>& slot, const Pass& pass, const X& x, const Target& target) {
  const auto to = slot.destination();
  if (!to.accumulate) {
    B::for_each_element(x.size(), pass, out(to.view), in(x.view()), in(target.view()));
    return;
  }
  TensorOf<T, B> more(x.shape());
  B::for_each_element(x.size(), pass, out(more.view()), in(x.view()), in(target.view()));
  B::for_each_element(x.size(), Add{}, in_out(to.view), in(more.read()));
}

/// scale * sum over elements of loss(x, target); target wants a gradient or is plain data.
template <class Loss, class S, class U, class B>
Variable<typename numeric_traits<S>::compute, B> element_loss(const char* name, const Loss& loss,
                                                              const Variable<S, B>& x,
                                                              const Variable<U, B>& target,
                                                              LossReduction reduction) {
  using Scalar = typename numeric_traits<S>::compute;
  static_assert(std::is_same_v<U, S> || std::is_same_v<U, Scalar>,
                "halfstep: a loss takes targets in the storage type of its input or in its compute "
                "type (float); cast<T>() them");
  require_elements(name, x);
  const bool wanted = recorded(name, x, target);
  if (x.shape() != target.shape())
    fail<ShapeError>(name, ": ", described(x), " and target ", described(target),
                     " differ; make their shapes equal (reshape)");
  const Index n = x.size();
  const double scale = reduction == LossReduction::mean ? 1.0 / static_cast<double>(n) : 1.0;
  TensorOf<Scalar, B> total(Shape{});
  B::template reduce<Reduction::sum>(ReduceProblem{.reduced = n, .scale = scale}, loss,
                                     total.data(), x.value().data(), target.value().data());
  if (!wanted) return unrecorded<B, Scalar>(name, std::move(total), x, target);
  return record<B, Scalar>(
      name, std::move(total),
      [loss, scale, x = x.value(), target = target.value()](
          const TensorOf<Scalar, B>& g, Slot<S, B>* to_x, Slot<U, B>* to_target) {
        using OfX = formulas::LossGradient<Loss, Scalar, false>;
        using OfTarget = formulas::LossGradient<Loss, Scalar, true>;
        if (to_x != nullptr) contribute_loss<S, B>(*to_x, OfX{loss, g.data(), scale}, x, target);
        if constexpr (std::is_same_v<S, U>) {
          if (to_target != nullptr)
            contribute_loss<S, B>(*to_target, OfTarget{loss, g.data(), scale}, x, target);
        } else if (to_target != nullptr) {
          fail<UsageError>(
              "a loss's target wants a gradient but has another storage type than x; "
              "cast<T>() it, or detach() it");
        }
      },
      x, target);
}

}  // namespace autograd

// Losses of elements against targets of the same shape. Targets are variables of x's storage type
// (and may want gradients), or plain tensors in that type or in the compute type: data keeps its
// precision.
// @return  a scalar of the compute type (float for 16-bit storage)
// @throws ShapeError  the shapes differ, or there are no elements
// @numerics  each element and the sum in the compute type

/// The mean (or sum) of (x - target)^2.
template <class S, class B>
auto mse_loss(const Variable<S, B>& x, const Variable<S, B>& target,
              LossReduction reduction = LossReduction::mean) {
  return autograd::element_loss("mse_loss", formulas::SquaredError{}, x, target, reduction);
}
template <class S, class B, class U>
auto mse_loss(const Variable<S, B>& x, const Tensor<U, typename B::DeviceType>& target,
              LossReduction reduction = LossReduction::mean) {
  return autograd::element_loss("mse_loss", formulas::SquaredError{}, x, Variable<U, B>(target),
                                reduction);
}

/// With d = x - target, the mean (or sum) of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2.
template <class S, class B>
auto smooth_l1_loss(const Variable<S, B>& x, const Variable<S, B>& target, double beta = 1.0,
                    LossReduction reduction = LossReduction::mean) {
  return autograd::element_loss("smooth_l1_loss", formulas::SmoothAbsoluteError{beta}, x, target,
                                reduction);
}
template <class S, class B, class U>
auto smooth_l1_loss(const Variable<S, B>& x, const Tensor<U, typename B::DeviceType>& target,
                    double beta = 1.0, LossReduction reduction = LossReduction::mean) {
  return autograd::element_loss("smooth_l1_loss", formulas::SmoothAbsoluteError{beta}, x,
                                Variable<U, B>(target), reduction);
}

/// The mean (or sum) of -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), without overflow.
template <class S, class B>
auto bce_with_logits(const Variable<S, B>& x, const Variable<S, B>& target,
                     LossReduction reduction = LossReduction::mean) {
  return autograd::element_loss("bce_with_logits", formulas::BinaryCrossEntropy{}, x, target,
                                reduction);
}
template <class S, class B, class U>
auto bce_with_logits(const Variable<S, B>& x, const Tensor<U, typename B::DeviceType>& target,
                     LossReduction reduction = LossReduction::mean) {
  return autograd::element_loss("bce_with_logits", formulas::BinaryCrossEntropy{}, x,
                                Variable<U, B>(target), reduction);
}

template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto bce_with_logits(const Variable<S1, B1>& x, const Variable<S2, B2>& target,
                     LossReduction = {}) {
  return autograd::refuse_mixed(x, target);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto mse_loss(const Variable<S1, B1>& x, const Variable<S2, B2>& target, LossReduction = {}) {
  return autograd::refuse_mixed(x, target);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto smooth_l1_loss(const Variable<S1, B1>& x, const Variable<S2, B2>& target, double = 1.0,
                    LossReduction = {}) {
  return autograd::refuse_mixed(x, target);
}

}  // namespace halfstep
