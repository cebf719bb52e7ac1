#pragma once

#include <halfstep/autograd/gradients.hpp>
#include <halfstep/precision/loss_scaling.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::scale {

/// What a scaler counts, on the device.
struct Counters {
  std::int64_t growth_tracker = 0;  ///< good rounds since the scale last changed
  std::int64_t skips_in_row = 0;    ///< rounds in a row in which a step was skipped
  /// Of those since the last good round, the ones that a lower scale could not mend: the loss was
  /// not finite, or the scale is at its floor, or is never changed.
  std::int64_t unmendable_skips_in_row = 0;

  friend bool operator==(const Counters&, const Counters&) = default;
};

/// All that a run goes on from.
struct State {
  double scale = 1.0;
  Counters counters;

  friend bool operator==(const State&, const State&) = default;
};

/// What the steps since the last update() have shown.
struct Round {
  std::int32_t gradients_not_finite = 0;
  std::int32_t loss_not_finite = 0;
};

template <class G, class State>
inline constexpr bool is_gradients = false;
template <class State, class Setup>
inline constexpr bool is_gradients<Gradients<State, Setup>, State> = true;

/// Notes what a check of gradients found.
struct Observe {
  const GradientState* gradients;
  Round* round;

  HALFSTEP_HOST_DEVICE void operator()() const {
    const SkipReason reason = gradients->skip_reason();
    if (reason == SkipReason::gradients_not_finite) round->gradients_not_finite = 1;
    if (reason == SkipReason::loss_not_finite) round->loss_not_finite = 1;
  }
};

/// Whether a lower scale could follow this one.
HALFSTEP_HOST_DEVICE constexpr bool can_shrink(const NoLossScaling&, double) { return false; }
HALFSTEP_HOST_DEVICE constexpr bool can_shrink(const StaticLossScaling&, double) { return false; }
HALFSTEP_HOST_DEVICE constexpr bool can_shrink(const DynamicLossScaling& settings, double scale) {
  return scale > static_cast<float>(settings.floor);
}

/// The scale after gradients that were not finite, and after growth_interval rounds that were. It
/// is a float, as torch's is; one that would not be finite stays what it was.
template <class Scaling>
HALFSTEP_HOST_DEVICE double shrunk(const Scaling& settings, double scale) {
  if constexpr (std::same_as<Scaling, DynamicLossScaling>) {
    const double smaller = static_cast<float>(scale * settings.backoff_factor);
    const double floor = static_cast<float>(settings.floor);
    return smaller > floor ? smaller : floor;
  } else {
    return scale;
  }
}
HALFSTEP_HOST_DEVICE inline double grown(const DynamicLossScaling& settings, double scale) {
  const double larger = scale * settings.growth_factor;
  if (larger > numeric_traits<float>::max) return scale;
  return static_cast<float>(larger < settings.ceiling ? larger : settings.ceiling);
}

/// What update() does, where the scale lies.
template <class Scaling>
struct EndRound {
  Scaling settings;
  double* scale;
  Counters* counters;
  Round* round;

  HALFSTEP_HOST_DEVICE void operator()() const {
    if (round->gradients_not_finite != 0) {
      ++counters->skips_in_row;
      if (!can_shrink(settings, *scale)) ++counters->unmendable_skips_in_row;
      *scale = shrunk(settings, *scale);
      counters->growth_tracker = 0;
    } else if (round->loss_not_finite != 0) {
      ++counters->skips_in_row;
      ++counters->unmendable_skips_in_row;
    } else {
      counters->skips_in_row = 0;
      counters->unmendable_skips_in_row = 0;
      if constexpr (std::same_as<Scaling, DynamicLossScaling>) {
        if (++counters->growth_tracker >= settings.growth_interval) {
          *scale = grown(settings, *scale);
          counters->growth_tracker = 0;
        }
      }
    }
    *round = Round{};
  }
};

inline double initial_scale(const NoLossScaling&) { return 1.0; }
inline double initial_scale(const StaticLossScaling& s) { return static_cast<float>(s.scale); }
inline double initial_scale(const DynamicLossScaling& s) {
  return static_cast<float>(s.initial_scale);
}

inline void require_setting(bool sound, std::string_view scaling, std::string_view setting,
                            double value, std::string_view wanted) {
  if (!sound)
    fail<UsageError>(scaling, ": ", setting, " = ", value, " cannot work; it must be ", wanted);
}
/// A scale multiplies FP32 losses: it must be a positive float.
inline void require_scale(std::string_view scaling, std::string_view setting, double value) {
  require_setting(value >= numeric_traits<float>::min_normal && value <= numeric_traits<float>::max,
                  scaling, setting, value, "finite and positive, and a normal float");
}

inline void validate(const NoLossScaling&) {}
inline void validate(const StaticLossScaling& s) {
  require_scale("StaticLossScaling", "scale", s.scale);
}
inline void validate(const DynamicLossScaling& s) {
  constexpr std::string_view name = "DynamicLossScaling";
  require_scale(name, "initial_scale", s.initial_scale);
  require_setting(s.growth_factor > 1.0 && std::isfinite(s.growth_factor), name, "growth_factor",
                  s.growth_factor, "finite and greater than 1");
  require_setting(s.backoff_factor > 0.0 && s.backoff_factor < 1.0, name, "backoff_factor",
                  s.backoff_factor, "between 0 and 1");
  require_setting(s.growth_interval >= 1, name, "growth_interval",
                  static_cast<double>(s.growth_interval), "at least 1");
  require_scale(name, "floor", s.floor);
  require_scale(name, "ceiling", s.ceiling);
  if (s.floor > s.ceiling)
    fail<UsageError>(name, ": floor = ", s.floor, " is above ceiling = ", s.ceiling);
  if (s.initial_scale < s.floor || s.initial_scale > s.ceiling)
    fail<UsageError>(name, ": initial_scale = ", s.initial_scale, " is not within [floor, ceiling]",
                     " = [", s.floor, ", ", s.ceiling, "]");
}

/// Whether a saved state is one that these settings can lead to.
template <class Scaling>
void validate(const Scaling& settings, const State& state) {
  constexpr std::string_view name = "LossScaler state";
  require_scale(name, "scale", state.scale);
  require_setting(state.scale == static_cast<float>(state.scale), name, "scale", state.scale,
                  "a float");
  const Counters& counters = state.counters;
  const auto count = [&](std::string_view setting, std::int64_t value) {
    require_setting(value >= 0, name, setting, static_cast<double>(value), "not negative");
  };
  count("growth_tracker", counters.growth_tracker);
  count("skips_in_row", counters.skips_in_row);
  count("unmendable_skips_in_row", counters.unmendable_skips_in_row);
  if constexpr (std::same_as<Scaling, DynamicLossScaling>) {
    require_setting(state.scale >= static_cast<float>(settings.floor) &&
                        state.scale <= static_cast<float>(settings.ceiling),
                    name, "scale", state.scale, "within the scaler's [floor, ceiling]");
    require_setting(counters.growth_tracker < settings.growth_interval, name, "growth_tracker",
                    static_cast<double>(counters.growth_tracker), "below growth_interval");
  } else {
    require_setting(state.scale == initial_scale(settings), name, "scale", state.scale,
                    "the scale that the settings fix");
  }
}

}  // namespace halfstep
