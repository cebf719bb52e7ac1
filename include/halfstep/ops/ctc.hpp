#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// What connectionist temporal classification may do otherwise.
struct CtcSettings {
  /// The class that stands for no label.
  std::int32_t blank = 0;
  /// A target that cannot fit its input counts nothing, instead of being an error.
  bool zero_infinity = false;
};

/// The extents and the targets of a CTC loss over log-probabilities [batch, time, classes].
struct CtcProblem {
  Index batch = 1;
  Index time = 1;
  Index classes = 1;
  Index width = 1;  ///< of a padded target
  CtcSettings settings{};
  const std::int32_t* targets = nullptr;         ///< [batch, width]
  const std::int32_t* input_lengths = nullptr;   ///< [batch], within [1, time]
  const std::int32_t* target_lengths = nullptr;  ///< [batch], within [0, width]

  /// Positions of a target of full width with a blank before, between and after its labels.
  HALFSTEP_HOST_DEVICE Index positions() const { return 2 * width + 1; }
  HALFSTEP_HOST_DEVICE Index positions(Index row) const { return 2 * target_lengths[row] + 1; }
  HALFSTEP_HOST_DEVICE std::int32_t label(Index row, Index position) const {
    return position % 2 == 0 ? settings.blank : targets[row * width + position / 2];
  }
  /// Whether a path may come from two positions before: past a blank that divides two labels.
  HALFSTEP_HOST_DEVICE bool skips(Index row, Index position) const {
    return position % 2 == 1 && position > 1 && label(row, position) != label(row, position - 2);
  }
};

/// @throws DataError  a length or a label is out of its range, or a target cannot fit its input:
///                    T < L + repeats, since equal neighbours need a blank between them
inline void check_ctc(const CtcProblem& p) {
  for (Index row = 0; row < p.batch; ++row) {
    const Index time = p.input_lengths[row], length = p.target_lengths[row];
    if (time < 1 || time > p.time)
      fail<DataError>("ctc_loss: the input length ", time, " of row ", row, " is not within [1, ",
                      p.time, "], the time of the logits");
    if (length < 0 || length > p.width)
      fail<DataError>("ctc_loss: the target length ", length, " of row ", row,
                      " is not within [0, ", p.width, "], the width of the targets");
    const std::int32_t* const target = p.targets + row * p.width;
    Index repeats = 0;
    for (Index i = 0; i < length; ++i) {
      if (target[i] < 0 || target[i] >= p.classes || target[i] == p.settings.blank)
        fail<DataError>("ctc_loss: label ", target[i], " at position ", i, " of row ", row,
                        " is not one of the ", p.classes, " classes without the blank, ",
                        p.settings.blank);
      repeats += i > 0 && target[i] == target[i - 1] ? 1 : 0;
    }
    if (time < length + repeats && !p.settings.zero_infinity)
      fail<DataError>("ctc_loss: the target of row ", row, " has ", length, " labels and ", repeats,
                      " repeats, which do not fit into ", time, " steps of [", p.batch, ", ",
                      p.time, ", ", p.classes, "] logits; leave the row out, give the model more ",
                      "steps, or set zero_infinity");
  }
}

/// The recursions of connectionist temporal classification (Graves et al., ICML 2006, section 4)
/// in logarithms, for one row of a batch: what one position gets from those before or after it.
template <class Scalar>
class CtcRow {
 public:
  static constexpr Scalar nothing = -std::numeric_limits<Scalar>::infinity();

  HALFSTEP_HOST_DEVICE CtcRow(const CtcProblem& p, Index row, const Scalar* log_probabilities)
      : p_(p),
        row_(row),
        log_probabilities_(log_probabilities + row * p.time * p.classes),
        time_(p.input_lengths[row]),
        positions_(p.positions(row)) {}

  HALFSTEP_HOST_DEVICE Index time() const { return time_; }
  HALFSTEP_HOST_DEVICE Index positions() const { return positions_; }

  /// alpha[t, s] from alpha[t - 1].
  HALFSTEP_HOST_DEVICE Scalar alpha_of(const Scalar* alpha, Index t, Index s) const {
    Scalar sum = t == 0 ? (s < 2 ? Scalar(0) : nothing) : at(alpha, t - 1, s);
    if (t > 0 && s > 0) sum = log_add(sum, at(alpha, t - 1, s - 1));
    if (t > 0 && p_.skips(row_, s)) sum = log_add(sum, at(alpha, t - 1, s - 2));
    return sum + emission(t, s);
  }
  /// What comes after (t, s), from beta[t + 1], which is `later`.
  HALFSTEP_HOST_DEVICE Scalar after(const Scalar* later, Index t, Index s) const {
    if (t == time_ - 1) return s + 2 >= positions_ ? Scalar(0) : nothing;
    Scalar sum = later[s];
    if (s + 1 < positions_) sum = log_add(sum, later[s + 1]);
    if (s + 2 < positions_ && p_.skips(row_, s + 2)) sum = log_add(sum, later[s + 2]);
    return sum;
  }
  HALFSTEP_HOST_DEVICE Scalar emission(Index t, Index s) const {
    return log_probabilities_[t * p_.classes + p_.label(row_, s)];
  }
  /// The share of all paths that are at (t, s).
  HALFSTEP_HOST_DEVICE Scalar share(const Scalar* alpha, Index t, Index s, Scalar after_it,
                                    Scalar loss) const {
    return std::exp(at(alpha, t, s) + after_it + loss);
  }
  /// The loss, infinite where the target cannot fit.
  HALFSTEP_HOST_DEVICE Scalar loss_of(const Scalar* alpha) const {
    const Scalar last = at(alpha, time_ - 1, positions_ - 1);
    return -(positions_ == 1 ? last : log_add(last, at(alpha, time_ - 1, positions_ - 2)));
  }
  /// Whether a loss is one that settings leave out.
  HALFSTEP_HOST_DEVICE bool is_left_out(Scalar loss) const {
    return loss == -nothing && p_.settings.zero_infinity;
  }

  /// Fills the row's alpha and returns the loss.
  Scalar forward(Scalar* alpha) const {
    for (Index t = 0; t < time_; ++t)
      for (Index s = 0; s < positions_; ++s) alpha[t * p_.positions() + s] = alpha_of(alpha, t, s);
    const Scalar loss = loss_of(alpha);
    return is_left_out(loss) ? Scalar(0) : loss;
  }

  /// The gradient of factor times the loss with respect to the row's logits [time, classes]:
  ///   factor (softmax - share of the paths that are in the class at that time).
  void backward(const Scalar* alpha, Scalar factor, Scalar* gradient) const {
    const Scalar loss = loss_of(alpha);
    const bool counts = !is_left_out(loss);
    for (Index i = 0; i < p_.time * p_.classes; ++i)
      gradient[i] =
          counts && i < time_ * p_.classes ? factor * std::exp(log_probabilities_[i]) : Scalar(0);
    if (!counts) return;
    Tensor<Scalar> memory(Shape{2, positions_});
    Scalar *beta = memory.data(), *later = beta + positions_;
    for (Index t = time_ - 1; t >= 0; --t) {
      std::swap(beta, later);
      for (Index s = 0; s < positions_; ++s) {
        const Scalar sum = after(later, t, s);
        gradient[t * p_.classes + p_.label(row_, s)] -= factor * share(alpha, t, s, sum, loss);
        beta[s] = sum + emission(t, s);
      }
    }
  }

 private:
  HALFSTEP_HOST_DEVICE Scalar at(const Scalar* alpha, Index t, Index s) const {
    return alpha[t * p_.positions() + s];
  }
  /// log(e^a + e^b).
  static HALFSTEP_HOST_DEVICE Scalar log_add(Scalar a, Scalar b) {
    const Scalar high = a < b ? b : a, low = a < b ? a : b;
    return low == nothing ? high : high + std::log1p(std::exp(low - high));
  }

  const CtcProblem& p_;
  Index row_;
  const Scalar* log_probabilities_;
  Index time_;
  Index positions_;
};

}  // namespace halfstep
