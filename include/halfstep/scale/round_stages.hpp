#pragma once

#include <halfstep/autograd/gradients.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::scale {

/// Whose gradients a token holds: a model's, or those of some of its groups.
struct Part {
  const void* store;
  GroupSet groups;
};
template <class State, class Setup>
Part part_of(const Gradients<State, Setup>& gradients) {
  return {gradients.store().get(), gradients.groups()};
}

/// How far each model's gradients have come since the last update(): ready -> unscaled -> stepped.
class RoundStages {
 public:
  RoundStages() { entries_.reserve(16); }

  /// Whether no model's gradients were seen.
  bool empty() const { return entries_.empty(); }
  void begin_round() { entries_.clear(); }

  /// @throws UsageError  these gradients were unscaled or applied in this round
  void require_not_unscaled(const Part& part) const {
    if (stage(part) == Stage::unscaled)
      fail<UsageError>("LossScaler: unscale was called for this model already since the last ",
                       "update(); add losses with backward(loss, std::move(gradients)) first");
    if (stage(part) == Stage::stepped)
      fail<UsageError>("LossScaler: unscale was called after step(); call update() between them");
  }
  /// @param without_scale  gradients need not have been unscaled
  /// @throws UsageError    these gradients were applied in this round, or not unscaled in it
  void require_unscaled(const Part& part, bool without_scale) const {
    require_not_stepped(part);
    if (stage(part) == Stage::ready && !without_scale)
      fail<UsageError>("LossScaler: these gradients were not unscaled by this scaler since its ",
                       "last update(); compute them with backward(scaler.scale(loss))");
  }
  void require_not_stepped(const Part& part) const {
    if (stage(part) == Stage::stepped)
      fail<UsageError>("LossScaler: step was called for this model already since the last ",
                       "update()");
  }

  void set_unscaled(const Part& part) { at(part) = Stage::unscaled; }
  void set_stepped(const Part& part) { at(part) = Stage::stepped; }

 private:
  enum class Stage { ready, unscaled, stepped };
  struct Entry {
    Part part;
    Stage stage;
  };

  /// The latest that was said of any of its groups: what was unscaled whole may be split after.
  Stage stage(const Part& part) const {
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
      if (entry->part.store == part.store && (entry->part.groups & part.groups) != 0)
        return entry->stage;
    return Stage::ready;
  }
  Stage& at(const Part& part) {
    for (Entry& entry : entries_)
      if (entry.part.store == part.store && entry.part.groups == part.groups) return entry.stage;
    return entries_.emplace_back(Entry{part, Stage::ready}).stage;
  }

  std::vector<Entry> entries_;
};

}  // namespace halfstep
