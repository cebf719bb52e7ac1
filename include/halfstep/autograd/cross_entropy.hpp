#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/autograd/loss_reduction.hpp>
#include <halfstep/ops/cross_entropy.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// What the rows' losses are multiplied by: 1, or 1 / the number of rows that are not ignored.
template <class Scalar>
struct CountTargets {
  const std::int32_t* target;
  Index rows;
  std::int32_t ignored;
  Scalar* weight;
  HALFSTEP_HOST_DEVICE Index parts() const { return rows; }
  HALFSTEP_HOST_DEVICE Index part(Index row) const { return target[row] != ignored ? 1 : 0; }
  HALFSTEP_HOST_DEVICE void finish(Index count) const {
    *weight = count == 0 ? Scalar(0) : Scalar(1) / static_cast<Scalar>(count);
  }
  HALFSTEP_HOST_DEVICE void operator()() const {
    Index count = 0;
    for (Index row = 0; row < rows; ++row) count += part(row);
    finish(count);
  }
};

/// y = a b for single numbers on the device.
struct Product {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& y, const N& a, const N& b) const {
    y = a * b;
  }
};

/// @throws DataError  a label is neither a class nor the ignored one; only where the host can see
/// it
template <class B>
void check_targets(const TensorOf<std::int32_t, B>& targets, Index classes, std::int32_t ignored) {
  if constexpr (B::DeviceType::host_accessible) {
    const std::int32_t* target = targets.data();
    for (Index row = 0; row < targets.size(); ++row)
      if ((target[row] < 0 || target[row] >= classes) && target[row] != ignored)
        fail<DataError>("cross_entropy: label ", target[row], " of row ", row,
                        " is not one of the ", classes, " classes, 0 to ", classes - 1,
                        "; check the labels, or give the model more outputs");
  }
}

}  // namespace autograd

/// Softmax cross-entropy: the mean (or sum) over rows r with target t of
///   (1 - smoothing) (log_sum_r - x_rt) + smoothing / n sum_j (log_sum_r - x_rj),
/// where log_sum is the logarithm of the sum of exponentials. Rows whose target is
/// `settings.ignored_target` count nothing; if all are, the loss is 0.
///
/// @param logits   [..., classes]
/// @param targets  [...], classes from 0
/// @return  a scalar of the compute type (float for 16-bit logits)
/// @throws ShapeError  the shapes do not fit, or there are no rows
/// @throws DataError   a label is not a class
/// @numerics  logits are read into the compute type; the gradient is rounded once
///
/// The gradient takes the memory of logits that nobody else holds when backward comes to them, as
/// of `cross_entropy(model(x), y)`: a language model's logits are the largest tensor of its step.
template <class S, class B>
Variable<typename numeric_traits<S>::compute, B> cross_entropy(
    const Variable<S, B>& logits, const TensorOf<std::int32_t, B>& targets,
    CrossEntropy settings = {}, LossReduction reduction = LossReduction::mean) {
  using Scalar = typename numeric_traits<S>::compute;
  autograd::require_elements("cross_entropy", logits);
  const bool wanted = autograd::recorded("cross_entropy", logits);
  if (logits.shape().rank() < 1 || logits.shape().without(-1) != targets.shape())
    fail<ShapeError>("cross_entropy: logits ", autograd::described(logits), " and targets ",
                     targets.shape(), " do not fit; logits are [..., classes], targets [...]");
  const Index classes = logits.shape()[-1];
  const Index rows = logits.size() / classes;
  autograd::check_targets<B>(targets, classes, settings.ignored_target);

  TensorOf<Scalar, B> row_loss(Shape{rows}), log_sum(Shape{rows}), total(Shape{});
  B::cross_entropy(rows, classes, settings, logits.value().data(), targets.data(), row_loss.data(),
                   log_sum.data());
  B::template reduce<Reduction::sum>(ReduceProblem{.reduced = rows}, formulas::Identity{},
                                     total.data(), row_loss.read().data());
  TensorOf<Scalar, B> weight;
  if (reduction == LossReduction::mean) {
    weight = TensorOf<Scalar, B>(Shape{});
    B::once(autograd::CountTargets<Scalar>{targets.data(), rows, settings.ignored_target,
                                           weight.data()});
    B::for_each_element(1, autograd::Product{}, out(total.view()), in(total.read()),
                        in(weight.read()));
  }
  if (!wanted) return autograd::unrecorded<B, Scalar>("cross_entropy", std::move(total), logits);
  return autograd::record<B, Scalar>(
      "cross_entropy", std::move(total),
      [rows, classes, settings, logits = logits.value(), targets, log_sum, weight](
          TensorOf<Scalar, B> g, autograd::Slot<S, B>* slot) mutable {
        TensorOf<Scalar, B> factor = g;
        if (!weight.empty()) {
          factor = TensorOf<Scalar, B>(Shape{});
          B::for_each_element(1, autograd::Product{}, out(factor.view()), in(g.read()),
                              in(weight.read()));
        }
        const auto run = [&](S* gradient, bool accumulate) {
          B::cross_entropy_backward(rows, classes, settings, logits.read().data(), targets.data(),
                                    log_sum.read().data(), factor.read().data(), gradient,
                                    accumulate);
        };
        if (logits.unique() && !slot->written()) {
          run(logits.data(), false);
          slot->give(logits);
        } else {
          const auto to = slot->destination();
          run(to.view.data(), to.accumulate);
        }
      },
      logits);
}

}  // namespace halfstep
