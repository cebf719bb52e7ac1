#pragma once

#include <halfstep/autograd/gradients.hpp>
#include <halfstep/scale/scaler_state.hpp>

#include <concepts>

namespace halfstep::inline HALFSTEP_ABI::scale {

template <class G, class State>
inline constexpr bool is_gradients = false;
template <class State, class Setup>
inline constexpr bool is_gradients<Gradients<State, Setup>, State> = true;

/// Notes what a check of gradients found.
struct Observe {
  const GradientState* gradients;
  PassFindings* findings;

  HALFSTEP_HOST_DEVICE void operator()() const { findings->note(gradients->skip_reason()); }
};

/// Whether a lower scale could follow this one.
template <class Scaling>
HALFSTEP_HOST_DEVICE constexpr bool can_shrink(const Scaling& settings, double scale) {
  if constexpr (std::same_as<Scaling, DynamicLossScaling>)
    return settings.enabled && scale > static_cast<float>(settings.floor);
  else
    return false;
}

/// The scale after gradients that were not finite, and after growth_interval rounds that were. It
/// is a float, as torch's is; one that would not be finite stays what it was.
HALFSTEP_HOST_DEVICE inline double shrunk(const DynamicLossScaling& settings, double scale) {
  const double smaller = static_cast<float>(scale * settings.backoff_factor);
  const double floor = static_cast<float>(settings.floor);
  return smaller > floor ? smaller : floor;
}
HALFSTEP_HOST_DEVICE inline double grown(const DynamicLossScaling& settings, double scale) {
  const double larger = scale * settings.growth_factor;
  if (larger > numeric_traits<float>::max) return scale;
  return static_cast<float>(larger < settings.ceiling ? larger : settings.ceiling);
}

/// What update() does, where the scales lie. A round is what the steps since the last update()
/// have shown.
template <class Scaling>
struct EndRound {
  Scaling settings;
  std::int64_t losses;
  double* scale;           ///< [losses]
  Trackers* trackers;      ///< [losses]
  Skips* skips;            ///< [1]
  PassFindings* findings;  ///< [losses], and of all together where there are several

  HALFSTEP_HOST_DEVICE void operator()() const {
    PassFindings& all = findings[losses == 1 ? 0 : losses];
    bool one_was_bad = false;
    bool mendable = false;
    for (std::int64_t i = 0; i < losses; ++i) {
      one_was_bad = one_was_bad || findings[i].bad();
      mendable =
          mendable || (findings[i].gradients_not_finite != 0 && can_shrink(settings, scale[i]));
    }
    // What went bad after every loss's pass was good is nobody's: no scale answers it.
    if (one_was_bad || !all.bad())
      for (std::int64_t i = 0; i < losses; ++i) adapt(findings[i], scale[i], trackers[i]);
    if (all.bad()) {
      ++skips->in_row;
      if (!mendable) ++skips->unmendable_in_row;
    } else {
      *skips = Skips{};
    }
    for (std::int64_t i = 0; i < losses; ++i) findings[i] = PassFindings{};
    all = PassFindings{};
  }

 private:
  /// One loss's scale.
  HALFSTEP_HOST_DEVICE void adapt([[maybe_unused]] const PassFindings& found,
                                  [[maybe_unused]] double& of_loss,
                                  [[maybe_unused]] Trackers& tracked) const {
    if constexpr (std::same_as<Scaling, DynamicLossScaling>) {
      if (!settings.enabled || found.seen == 0) return;
      if (found.gradients_not_finite != 0) {
        tracked.growth_tracker = 0;
        if (tracked.overflows_tolerated + 1 < settings.hysteresis)
          ++tracked.overflows_tolerated;
        else
          of_loss = shrunk(settings, of_loss);
      } else if (found.loss_not_finite == 0 &&
                 ++tracked.growth_tracker >= settings.growth_interval) {
        of_loss = grown(settings, of_loss);
        tracked = Trackers{};
      }
    }
  }
};

/// Lets the count of skips that no lower scale could mend begin again.
struct RestartSkipCount {
  Skips* skips;
  HALFSTEP_HOST_DEVICE void operator()() const { skips->unmendable_in_row = 0; }
};

}  // namespace halfstep
