#pragma once

#include <halfstep/ops/backend.hpp>
#include <halfstep/optim/rule.hpp>

#include <memory>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// The learning rate over training: `double operator()(std::int64_t step) const`, marked
/// HALFSTEP_HOST_DEVICE, gives the factor on the base rate of the step after `step` applied ones.
/// It runs where the step runs, so it is plain data.
template <class S>
concept Schedule = std::is_trivially_copyable_v<S> && requires(const S& schedule) {
  { schedule(std::int64_t{}) } -> std::convertible_to<double>;
};

/// The rate stays what it is.
struct ConstantRate {
  HALFSTEP_HOST_DEVICE double operator()(std::int64_t) const { return 1.0; }
};

/// Writes what a rule's formula needs in the step that the counter names.
template <Rule R, Schedule S>
struct EvaluateRule {
  R rule;
  S schedule;
  const std::int64_t* applied;  ///< this step included
  CoefficientsOf<R>* to;

  HALFSTEP_HOST_DEVICE void operator()() const {
    const std::int64_t before = *applied > 0 ? *applied - 1 : 0;
    *to = rule.at(before + 1, rule.learning_rate * schedule(before));
  }
};

/// A schedule of any type. The type is known again where the step is asked for, not where it runs:
/// a device cannot call through a host's pointer.
template <Rule R, class B>
class AnySchedule {
 public:
  template <Schedule S>
  explicit AnySchedule(const S& schedule)
      : schedule_(std::make_shared<const S>(schedule)),
        evaluate_([](const void* held, const R& rule, const std::int64_t* applied,
                     CoefficientsOf<R>* to) {
          B::once(EvaluateRule<R, S>{rule, *static_cast<const S*>(held), applied, to});
        }),
        factor_([](const void* held, std::int64_t step) {
          return static_cast<double>((*static_cast<const S*>(held))(step));
        }) {
    if constexpr (requires { schedule.validate(); }) schedule.validate();
  }

  void evaluate(const R& rule, const std::int64_t* applied, CoefficientsOf<R>* to) const {
    evaluate_(schedule_.get(), rule, applied, to);
  }
  /// The factor after `step` applied steps, computed on the host.
  double factor(std::int64_t step) const { return factor_(schedule_.get(), step); }

 private:
  std::shared_ptr<const void> schedule_;
  void (*evaluate_)(const void*, const R&, const std::int64_t*, CoefficientsOf<R>*);
  double (*factor_)(const void*, std::int64_t);
};

}  // namespace halfstep
