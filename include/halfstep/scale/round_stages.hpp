#pragma once

#include <halfstep/core/error.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::scale {

/// How far each model's gradients have come since the last update(): ready -> unscaled -> stepped.
class RoundStages {
 public:
  RoundStages() { entries_.reserve(16); }

  /// Whether no model's gradients were seen.
  bool empty() const { return entries_.empty(); }
  void begin_round() { entries_.clear(); }

  /// @throws UsageError  these gradients were unscaled or applied in this round
  void require_not_unscaled(const void* store) const {
    if (stage(store) == Stage::unscaled)
      fail<UsageError>("LossScaler: unscale was called for this model already since the last ",
                       "update(); add losses with backward(loss, std::move(gradients)) first");
    if (stage(store) == Stage::stepped)
      fail<UsageError>("LossScaler: unscale was called after step(); call update() between them");
  }
  /// @param without_scale  gradients need not have been unscaled
  /// @throws UsageError    these gradients were applied in this round, or not unscaled in it
  void require_unscaled(const void* store, bool without_scale) const {
    require_not_stepped(store);
    if (stage(store) == Stage::ready && !without_scale)
      fail<UsageError>("LossScaler: these gradients were not unscaled by this scaler since its ",
                       "last update(); compute them with backward(scaler.scale(loss))");
  }
  void require_not_stepped(const void* store) const {
    if (stage(store) == Stage::stepped)
      fail<UsageError>("LossScaler: step was called for this model already since the last ",
                       "update()");
  }

  void set_unscaled(const void* store) { at(store) = Stage::unscaled; }
  void set_stepped(const void* store) { at(store) = Stage::stepped; }

 private:
  enum class Stage { ready, unscaled, stepped };
  struct Entry {
    const void* store;
    Stage stage;
  };

  Stage stage(const void* store) const {
    for (const Entry& entry : entries_)
      if (entry.store == store) return entry.stage;
    return Stage::ready;
  }
  Stage& at(const void* store) {
    for (Entry& entry : entries_)
      if (entry.store == store) return entry.stage;
    return entries_.emplace_back(Entry{store, Stage::ready}).stage;
  }

  std::vector<Entry> entries_;
};

}  // namespace halfstep
