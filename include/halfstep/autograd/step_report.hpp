#pragma once

#include <halfstep/ops/backend.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Why a step changed nothing.
enum class SkipReason : std::int32_t {
  none,                  ///< it was applied
  gradients_not_finite,  ///< a gradient overflowed; a lower loss scale may mend it
  loss_not_finite        ///< the loss itself was inf or NaN; no scale can mend that
};

constexpr std::string_view to_string(SkipReason reason) {
  switch (reason) {
    case SkipReason::gradients_not_finite:
      return "gradients not finite";
    case SkipReason::loss_not_finite:
      return "loss not finite";
    default:
      return "none";
  }
}

/// What a step writes down where it runs.
struct StepRecord {
  double loss = 0.0;
  double loss_scale = 1.0;
  double gradient_norm = 0.0;
  double clip_factor = 1.0;
  std::int64_t applied_steps = 0;
  SkipReason skipped = SkipReason::none;
};

/// A ticket for what a step did. Reading it waits for that step; holding it does not.
template <class B>
class StepReport {
 public:
  StepReport() = default;
  explicit StepReport(TensorOf<StepRecord, B> record) : record_(std::move(record)) {}

  /// The loss before the step, unscaled.
  double loss() const { return read().loss; }
  /// Whether parameters changed; a skipped step left everything as it was.
  bool applied() const { return read().skipped == SkipReason::none; }
  SkipReason skip_reason() const { return read().skipped; }
  /// The scale that the step's gradients were computed with.
  double loss_scale() const { return read().loss_scale; }
  /// The 2-norm of all gradients, unscaled, before clipping.
  double gradient_norm() const { return read().gradient_norm; }
  /// What clipping multiplied the gradients by; 1 where it did nothing.
  double clip_factor() const { return read().clip_factor; }
  /// How many steps were applied so far, this one included.
  std::int64_t applied_steps() const { return read().applied_steps; }
  /// Where it is written, on the device: for what follows the step without waiting for it.
  /// @throws UsageError  there was no step yet
  const StepRecord* record() const {
    if (record_.empty()) fail<UsageError>("StepReport: there was no step yet");
    return record_.data();
  }

 private:
  const StepRecord& read() const {
    if (!known_) {
      StepRecord record;
      B::download(this->record(), std::span<StepRecord>(&record, 1));
      known_ = record;
    }
    return *known_;
  }

  TensorOf<StepRecord, B> record_;
  mutable std::optional<StepRecord> known_;
};

}  // namespace halfstep
