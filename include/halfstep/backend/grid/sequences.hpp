#pragma once

#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/ops/ctc.hpp>
#include <halfstep/ops/recurrent.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// A time step of a recurrent layer, forward or back: a thread an element of the state.
template <class Scalar, class Loop>
struct RecurrentKernel {
  Loop loop;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      if (at < loop.step.batch * loop.step.hidden)
        loop.template one<Scalar>(at / loop.step.hidden, at % loop.step.hidden);
    });
  }
};

/// Whether a row's lengths and labels are within their ranges and its target fits: what the host
/// checks elsewhere (`check_ctc`).
HALFSTEP_HOST_DEVICE inline bool ctc_row_is_sound(const CtcProblem& p, Index row) {
  const Index time = p.input_lengths[row], length = p.target_lengths[row];
  if (time < 1 || time > p.time || length < 0 || length > p.width) return false;
  Index repeats = 0;
  for (Index i = 0; i < length; ++i) {
    const std::int32_t label = p.targets[row * p.width + i];
    if (label < 0 || label >= p.classes || label == p.settings.blank) return false;
    repeats += i > 0 && label == p.targets[row * p.width + i - 1] ? 1 : 0;
  }
  return time >= length + repeats || p.settings.zero_infinity;
}

/// Loss and alpha of a row: threads take its positions, time step after time step.
template <class Scalar>
struct CtcKernel {
  CtcProblem p;
  const Scalar* log_probabilities;
  Scalar* alpha;
  Scalar* loss;
  IndexError* error;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index row = block.index();
    if (!ctc_row_is_sound(p, row)) {
      block.own([&](int thread) {
        if (thread != 0) return;
        loss[row] = std::numeric_limits<Scalar>::quiet_NaN();
        error->refuses(IndexError::ctc_loss, -1, row, p.batch);
      });
      return;
    }
    const CtcRow<Scalar> of(p, row, log_probabilities);
    Scalar* const mine = alpha + row * p.time * p.positions();
    for (Index t = 0; t < of.time(); ++t)
      block.each([&](int thread) {
        for (Index s = thread; s < of.positions(); s += block.threads())
          mine[t * p.positions() + s] = of.alpha_of(mine, t, s);
      });
    block.own([&](int thread) {
      if (thread != 0) return;
      const Scalar value = of.loss_of(mine);
      loss[row] = of.is_left_out(value) ? Scalar(0) : value;
    });
  }
};

/// The gradient of a row's logits; `beta` is [batch, 3, positions]: two times' sums, and shares.
template <class Scalar>
struct CtcBackwardKernel {
  CtcProblem p;
  const Scalar* log_probabilities;
  const Scalar* alpha;
  const Scalar* factor;
  Scalar* beta;
  Scalar* gradient;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index row = block.index();
    Scalar* const to = gradient + row * p.time * p.classes;
    const bool sound = ctc_row_is_sound(p, row);
    const CtcRow<Scalar> of(p, row, log_probabilities);
    const Scalar* const mine = alpha + row * p.time * p.positions();
    const Scalar loss = sound ? of.loss_of(mine) : Scalar(0);
    const bool counts = sound && !of.is_left_out(loss);
    block.each([&](int thread) {
      for (Index i = thread; i < p.time * p.classes; i += block.threads())
        to[i] = counts && i < of.time() * p.classes
                    ? factor[row] * std::exp(log_probabilities[row * p.time * p.classes + i])
                    : Scalar(0);
    });
    if (!counts) return;
    Scalar* const sums = beta + row * 3 * p.positions();
    Scalar* const shares = sums + 2 * p.positions();
    for (Index t = of.time() - 1; t >= 0; --t) {
      Scalar* const now = sums + t % 2 * p.positions();
      const Scalar* const later = sums + (t + 1) % 2 * p.positions();
      block.each([&](int thread) {
        for (Index s = thread; s < of.positions(); s += block.threads()) {
          const Scalar sum = of.after(later, t, s);
          shares[s] = of.share(mine, t, s, sum, loss);
          now[s] = sum + of.emission(t, s);
        }
      });
      // Positions of one label share a number: a thread a class adds them up in order.
      block.each([&](int thread) {
        for (Index c = thread; c < p.classes; c += block.threads()) {
          Scalar sum = 0;
          for (Index s = 0; s < of.positions(); ++s)
            if (p.label(row, s) == c) sum += shares[s];
          to[t * p.classes + c] -= factor[row] * sum;
        }
      });
    }
  }
};

}  // namespace halfstep
