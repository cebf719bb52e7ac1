#pragma once

#include <halfstep/autograd/first_not_finite.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <cmath>
#include <functional>
#include <optional>
#include <sstream>

namespace halfstep::inline HALFSTEP_ABI {

/// What is known of a run whose steps are skipped one after the other.
struct StuckTraining {
  std::int64_t skips_in_row = 0;  ///< those that no lower loss scale could mend
  double loss_scale = 1.0;        ///< of the last one, as its loss and its reason
  double loss = 0.0;
  SkipReason reason = SkipReason::gradients_not_finite;
  /// The first parameter with a gradient that is not finite; empty where all are.
  std::string parameter;

  std::string message() const {
    std::ostringstream text;
    text << skips_in_row << " steps in a row were skipped at loss scale " << loss_scale << ": ";
    if (reason == SkipReason::loss_not_finite)
      text << "the loss is " << (std::isnan(loss) ? "NaN" : "infinite");
    else
      text << "the gradients are not finite";
    if (parameter.empty())
      text << "; every parameter's gradient is finite";
    else
      text << "; the first parameter with a gradient that is not finite is '" << parameter << "'";
    text << "; look for NaN in the data, or lower the learning rate";
    return text.str();
  }
};

/// What is done with training that is stuck.
enum class WhenStuck {
  throw_error,  ///< a NonFiniteError that says what is known
  skip          ///< it goes on skipping, and the count begins again
};

/// How many steps in a row may be skipped that no lower loss scale could mend.
struct SkipLimit {
  std::int64_t max_skips = 20;
  WhenStuck then = WhenStuck::throw_error;
  /// Where set, it is asked instead, and its answer is done: it may print, lower a rate, or throw.
  std::function<WhenStuck(const StuckTraining&)> call_back = nullptr;
};

/// Stops a run that would spin on NaN unseen. Trainer has one; a hand-written loop looks after each
/// update():
///
///   SkipWatch watch({.max_skips = 50});
///   ...
///   scaler.update();
///   watch.look(scaler, report);
class SkipWatch {
 public:
  /// @throws UsageError  max_skips is below 1
  explicit SkipWatch(SkipLimit limit = {}) : limit_(std::move(limit)) {
    if (limit_.max_skips < 1)
      fail<UsageError>("SkipLimit: max_skips = ", limit_.max_skips, " must be at least 1");
  }

  /// Has the device send what the next `look` reads, where it can; `look` does so itself where this
  /// was not called. It waits for nothing and reads nothing, so that it may be a part of a step
  /// that is captured as a graph, which `look` may not.
  template <class Scaling, class Setup>
  void ask(const LossScaler<Scaling, Setup>& scaler) {
    if constexpr (has_mailbox<typename Setup::Backend>) {
      if (never()) return;
      send(scaler);
      asked_ = true;
    }
  }

  /// Looks at how many rounds the scaler has skipped. Memory that the host can read costs nothing
  /// to look at, and what a backend's mailbox brings is looked at as it arrives, so that the rounds
  /// that a device is behind are not seen yet. A device without one is asked only every max_skips
  /// calls, since asking waits for it.
  ///
  /// @param report      of the step that is named, where a round has several
  /// @param parameters  of the models in which the bad parameter is searched; the scaler's own
  ///                    model where none is handed over
  /// @throws NonFiniteError  max_skips rounds in a row were skipped and no lower scale could help
  template <class Scaling, class Setup, class... Setups>
  void look(LossScaler<Scaling, Setup>& scaler, const StepReport<typename Setup::Backend>& report,
            const Parameters<Setups>&... parameters) {
    if (never()) return;
    if constexpr (has_mailbox<typename Setup::Backend>) {
      if (!std::exchange(asked_, false)) send(scaler);
      if (mailbox_->latest() < limit_.max_skips) return;
    } else {
      constexpr bool immediate = Setup::Backend::DeviceType::host_accessible;
      if (!immediate && ++unwatched_ < limit_.max_skips) return;
      unwatched_ = 0;
    }
    const std::int64_t skips = scaler.skips().unmendable_in_row;
    if (skips < limit_.max_skips) return;

    StuckTraining stuck{skips, report.loss_scale(), report.loss(), report.skip_reason(), {}};
    if constexpr (sizeof...(Setups) == 0)
      search(stuck, scaler.parameters());
    else
      (search(stuck, parameters), ...);
    const WhenStuck answer = limit_.call_back ? limit_.call_back(stuck) : limit_.then;
    if (answer == WhenStuck::throw_error) fail<NonFiniteError>(stuck.message());
    scaler.restart_skip_count();
  }

 private:
  template <class B>
  static constexpr bool has_mailbox = requires {
    B::mailbox();
  };

  bool never() const { return limit_.then == WhenStuck::skip && !limit_.call_back; }
  template <class Scaling, class Setup>
  void send(const LossScaler<Scaling, Setup>& scaler) {
    if (!mailbox_) mailbox_.emplace(Setup::Backend::mailbox());
    scaler.send_skip_count(*mailbox_);
  }
  template <class Setup>
  static void search(StuckTraining& stuck, const Parameters<Setup>& parameters) {
    if (stuck.parameter.empty()) stuck.parameter = autograd::first_not_finite(*parameters.store());
  }

  SkipLimit limit_;
  std::int64_t unwatched_ = 0;
  std::optional<Mailbox> mailbox_;
  bool asked_ = false;
};

}  // namespace halfstep
