#pragma once

#include <halfstep/optim/schedule.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// An optimizer's settings: a rule for each group of parameters, and the schedule of their rates.
template <Rule R, class B>
class GroupRules {
 public:
  template <Schedule S>
  GroupRules(const R& rule, const S& schedule) : rules_{{0, rule}}, schedule_(schedule) {
    validate(rule);
  }

  std::size_t count() const { return rules_.size(); }
  /// The place of a group's rule; group 0's where it has none of its own.
  std::size_t index(int group) const {
    for (std::size_t i = 1; i < rules_.size(); ++i)
      if (rules_[i].group == group) return i;
    return 0;
  }
  const R& rule(std::size_t index) const { return rules_[index].rule; }

  /// @throws UsageError  a setting that cannot work, or another number of moments
  void set(int group, const R& rule) {
    validate(rule);
    if constexpr (ElementRule<R>) {
      const int kept = moments_kept(rules_[0].rule);
      if (moments_kept(rule) != kept)
        fail<UsageError>("Optimizer: group ", group, " would keep ", moments_kept(rule),
                         " moments a weight, and the others ", kept,
                         "; change no setting that adds or drops a moment");
    }
    if (index(group) == 0 && group != 0)
      rules_.push_back({group, rule});
    else
      rules_[index(group)].rule = rule;
  }

  /// Writes every rule's coefficients of the step that the counter names, where the step runs.
  void evaluate(const std::int64_t* applied, CoefficientsOf<R>* to) const {
    for (std::size_t i = 0; i < rules_.size(); ++i)
      schedule_.evaluate(rules_[i].rule, applied, to + i);
  }
  /// The schedule's factor after `step` applied steps, computed on the host.
  double factor(std::int64_t step) const { return schedule_.factor(step); }

 private:
  struct Entry {
    int group;
    R rule;
  };
  std::vector<Entry> rules_;
  AnySchedule<R, B> schedule_;
};

}  // namespace halfstep
