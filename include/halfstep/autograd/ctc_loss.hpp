#pragma once

#include <halfstep/autograd/loss_reduction.hpp>
#include <halfstep/autograd/of_layer.hpp>
#include <halfstep/ops/ctc.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// weight = 1, or 1 / (batch max(target length, 1)): what each row's loss counts.
template <class Scalar>
struct CtcWeights {
  Index batch;
  bool mean;
  const std::int32_t* target_lengths;
  Scalar* weight;
  HALFSTEP_HOST_DEVICE void operator()() const {
    for (Index row = 0; row < batch; ++row) {
      const Index length = target_lengths[row] < 1 ? 1 : target_lengths[row];
      weight[row] = mean ? Scalar(1) / static_cast<Scalar>(batch * length) : Scalar(1);
    }
  }
};
/// factor = weight upstream, row by row.
template <class Scalar>
struct CtcFactors {
  Index batch;
  const Scalar* weight;
  const Scalar* upstream;
  Scalar* factor;
  HALFSTEP_HOST_DEVICE void operator()() const {
    for (Index row = 0; row < batch; ++row) factor[row] = weight[row] * *upstream;
  }
};
/// @throws ShapeError  the lengths are not one for each row
template <class B>
void require_row_lengths(const char* which, const TensorOf<std::int32_t, B>& lengths, Index batch) {
  if (lengths.shape() != Shape{batch})
    fail<ShapeError>("ctc_loss: the ", which, " lengths ", lengths.shape(), " must be [", batch,
                     "], one for each row of the logits");
}

}  // namespace autograd

/// Connectionist temporal classification: -log of the probability of all paths that give the target
/// once repeats are merged and blanks are left out (Graves et al., ICML 2006). The sum over the
/// batch, or the mean over it of each loss divided by its target's length, as PyTorch has it.
///
/// @param logits          [batch, time, classes]; log-softmax is taken inside
/// @param targets         [batch, width], padded; labels from 0, none of them the blank
/// @param input_lengths   [batch], the steps of each row
/// @param target_lengths  [batch], the labels of each row
/// @return  a scalar of the compute type (float for 16-bit logits)
/// @throws ShapeError  shapes do not fit
/// @throws DataError   a length or a label is out of range, or a target cannot fit its input:
///                     T < L + repeats
/// @numerics  logits are read into FP32, the recursions run there in logarithms; the gradient is
///            rounded once
template <class S, class B>
Variable<typename numeric_traits<S>::compute, B> ctc_loss(
    const Variable<S, B>& logits, const TensorOf<std::int32_t, B>& targets,
    const TensorOf<std::int32_t, B>& input_lengths, const TensorOf<std::int32_t, B>& target_lengths,
    CtcSettings settings = {}, LossReduction reduction = LossReduction::mean) {
  using Scalar = typename numeric_traits<S>::compute;
  autograd::require_elements("ctc_loss", logits);
  const bool wanted = autograd::recorded("ctc_loss", logits);
  const Shape& shape = logits.shape();
  if (shape.rank() != 3 || targets.shape().rank() != 2 || targets.shape()[0] != shape[0])
    fail<ShapeError>("ctc_loss: logits ", autograd::described(logits), " and targets ",
                     targets.shape(), " do not fit; logits are [batch, time, classes], targets ",
                     "[batch, width]");
  autograd::require_row_lengths<B>("input", input_lengths, shape[0]);
  autograd::require_row_lengths<B>("target", target_lengths, shape[0]);
  if (settings.blank < 0 || settings.blank >= shape[2])
    fail<DataError>("ctc_loss: the blank ", settings.blank, " is not one of the ", shape[2],
                    " classes of the logits ", autograd::described(logits));
  const CtcProblem problem{.batch = shape[0],
                           .time = shape[1],
                           .classes = shape[2],
                           .width = targets.shape()[1],
                           .settings = settings,
                           .targets = targets.data(),
                           .input_lengths = input_lengths.data(),
                           .target_lengths = target_lengths.data()};
  const Shape rows{problem.batch};
  TensorOf<Scalar, B> log_probabilities(shape), loss(rows), weight(rows), total(Shape{});
  TensorOf<Scalar, B> alpha(Shape{problem.batch, problem.time, problem.positions()});
  B::softmax(problem.batch * problem.time, problem.classes, true, logits.value().data(),
             log_probabilities.data());
  B::ctc_loss(problem, log_probabilities.read().data(), alpha.data(), loss.data());
  B::once(autograd::CtcWeights<Scalar>{problem.batch, reduction == LossReduction::mean,
                                       problem.target_lengths, weight.data()});
  B::template reduce<Reduction::sum>(ReduceProblem{.reduced = problem.batch}, formulas::Multiply{},
                                     total.data(), weight.read().data(), loss.read().data());
  if (!wanted) return autograd::unrecorded<B, Scalar>("ctc_loss", std::move(total), logits);
  return autograd::record<B, Scalar>(
      "ctc_loss", std::move(total),
      [problem, targets, input_lengths, target_lengths, log_probabilities, alpha, weight](
          const TensorOf<Scalar, B>& g, autograd::Slot<S, B>* slot) {
        TensorOf<Scalar, B> factor(weight.shape()), gradient(log_probabilities.shape());
        B::once(autograd::CtcFactors<Scalar>{problem.batch, weight.read().data(), g.data(),
                                             factor.data()});
        CtcProblem back = problem;
        back.targets = targets.data();
        back.input_lengths = input_lengths.data();
        back.target_lengths = target_lengths.data();
        B::ctc_loss_backward(back, log_probabilities.read().data(), alpha.read().data(),
                             factor.read().data(), gradient.data());
        const auto to = slot->destination();
        StridedCopy copy{.extents = Shape{gradient.size()}, .accumulate = to.accumulate};
        copy.from_strides[0] = copy.to_strides[0] = 1;
        B::strided_copy(copy, gradient.read().data(), to.view.data());
      },
      logits);
}

}  // namespace halfstep
