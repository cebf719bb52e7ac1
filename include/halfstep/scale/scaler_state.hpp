#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/precision/loss_scaling.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::scale {

/// What a loss scale depends on besides the scale itself.
struct Trackers {
  std::int64_t growth_tracker = 0;       ///< good rounds since the scale last changed
  std::int64_t overflows_tolerated = 0;  ///< since the last growth; below `hysteresis`

  friend bool operator==(const Trackers&, const Trackers&) = default;
};

/// The rounds in a row, up to now, in which a step was skipped.
struct Skips {
  std::int64_t in_row = 0;
  /// Those that no lower scale could mend: the loss was not finite, the scale is at its floor or is
  /// never changed, or the gradients went bad after they were unscaled.
  std::int64_t unmendable_in_row = 0;

  friend bool operator==(const Skips&, const Skips&) = default;
};

/// All that a scaler goes on from: what is saved and restored.
struct State {
  static constexpr std::int64_t current_version = 1;

  struct OfLoss {
    double scale = 1.0;
    Trackers trackers;

    friend bool operator==(const OfLoss&, const OfLoss&) = default;
  };

  std::int64_t version = current_version;
  bool enabled = true;
  std::vector<OfLoss> losses = std::vector<OfLoss>(1);  ///< one where losses share a scale
  Skips skips;

  friend bool operator==(const State&, const State&) = default;
};

/// Calls f(name, numbers) for all that a state holds: a vector of std::int64_t or double, one
/// number for each loss or one alone. What f writes is taken.
template <class F>
void visit_numbers(State& state, F&& f) {
  const auto one = [&](const char* name, auto& number) {
    std::vector<std::int64_t> numbers{number};
    f(name, numbers);
    number = static_cast<std::remove_reference_t<decltype(number)>>(numbers.front());
  };
  const auto one_each = [&](const char* name, auto&& of) {
    std::vector<std::remove_reference_t<decltype(of(state.losses.front()))>> numbers;
    for (auto& loss : state.losses) numbers.push_back(of(loss));
    f(name, numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) of(state.losses[i]) = numbers[i];
  };
  using OfLoss = State::OfLoss;
  one("version", state.version);
  one("enabled", state.enabled);
  one_each("scale", [](OfLoss& loss) -> double& { return loss.scale; });
  one_each("growth_tracker",
           [](OfLoss& loss) -> std::int64_t& { return loss.trackers.growth_tracker; });
  one_each("overflows_tolerated",
           [](OfLoss& loss) -> std::int64_t& { return loss.trackers.overflows_tolerated; });
  one("skips_in_row", state.skips.in_row);
  one("unmendable_skips_in_row", state.skips.unmendable_in_row);
}

/// Whether a scale other than 1 is used.
constexpr bool is_enabled(const NoLossScaling&) { return false; }
constexpr bool is_enabled(const StaticLossScaling& s) { return s.enabled; }
constexpr bool is_enabled(const DynamicLossScaling& s) { return s.enabled; }

inline double initial_scale(const NoLossScaling&) { return 1.0; }
inline double initial_scale(const StaticLossScaling& s) {
  return s.enabled ? static_cast<float>(s.scale) : 1.0;
}
inline double initial_scale(const DynamicLossScaling& s) {
  return s.enabled ? static_cast<float>(s.initial_scale) : 1.0;
}

template <class Number>
void require(bool sound, std::string_view whose, std::string_view setting, Number value,
             std::string_view wanted) {
  if (!sound)
    fail<UsageError>(whose, ": ", setting, " = ", value, " cannot work; it must be ", wanted);
}
/// A scale multiplies FP32 losses: it must be a positive float.
inline void require_scale(std::string_view whose, std::string_view setting, double value) {
  require(value >= numeric_traits<float>::min_normal && value <= numeric_traits<float>::max, whose,
          setting, value, "finite and positive, and a normal float");
}

inline void validate(const NoLossScaling&) {}
inline void validate(const StaticLossScaling& s) {
  require_scale("StaticLossScaling", "scale", s.scale);
}
inline void validate(const DynamicLossScaling& s) {
  constexpr std::string_view name = "DynamicLossScaling";
  require_scale(name, "initial_scale", s.initial_scale);
  require(s.growth_factor > 1.0 && std::isfinite(s.growth_factor), name, "growth_factor",
          s.growth_factor, "finite and greater than 1");
  require(s.backoff_factor > 0.0 && s.backoff_factor < 1.0, name, "backoff_factor",
          s.backoff_factor, "between 0 and 1");
  require(s.growth_interval >= 1, name, "growth_interval", s.growth_interval, "at least 1");
  require(s.hysteresis >= 1, name, "hysteresis", s.hysteresis, "at least 1");
  require_scale(name, "floor", s.floor);
  require_scale(name, "ceiling", s.ceiling);
  if (s.floor > s.ceiling)
    fail<UsageError>(name, ": floor = ", s.floor, " is above ceiling = ", s.ceiling);
  if (s.initial_scale < s.floor || s.initial_scale > s.ceiling)
    fail<UsageError>(name, ": initial_scale = ", s.initial_scale, " is not within [floor, ceiling]",
                     " = [", s.floor, ", ", s.ceiling, "]");
}

/// Whether a scale is one that the settings can lead to.
inline void validate_scale(const DynamicLossScaling& settings, std::string_view whose,
                           double scale) {
  require_scale(whose, "scale", scale);
  require(scale == static_cast<float>(scale), whose, "scale", scale, "a float");
  require(
      scale >= static_cast<float>(settings.floor) && scale <= static_cast<float>(settings.ceiling),
      whose, "scale", scale, "within the scaler's [floor, ceiling]");
}
template <class Fixed>
void validate_scale(const Fixed& settings, std::string_view whose, double scale) {
  require_scale(whose, "scale", scale);
  require(scale == initial_scale(settings), whose, "scale", scale,
          "the scale that the settings fix");
}

/// Whether a saved state is one that these settings can lead to.
/// @throws UsageError  the value that is not, named
template <class Scaling>
void validate(const Scaling& settings, std::size_t losses, const State& state) {
  constexpr std::string_view name = "LossScaler state";
  require(state.version == State::current_version, name, "version", state.version,
          "1: it was saved by another release");
  if (state.losses.size() != losses)
    fail<UsageError>(name, ": it holds the scales of ", state.losses.size(),
                     " losses, and this scaler has ", losses,
                     "; build it with {.losses = ", state.losses.size(), "}");
  const auto count = [&](std::string_view which, std::int64_t value) {
    require(value >= 0, name, which, value, "not negative");
  };
  count("skips_in_row", state.skips.in_row);
  count("unmendable_skips_in_row", state.skips.unmendable_in_row);
  // A scaler that is disabled has nothing to restore, and one that is enabled nothing to go on
  // from.
  if (!is_enabled(settings)) return;
  require(state.enabled, name, "enabled", state.enabled,
          "1: a scaler that was disabled has no scale to go on from; begin anew");
  for (const State::OfLoss& loss : state.losses) {
    validate_scale(settings, name, loss.scale);
    count("growth_tracker", loss.trackers.growth_tracker);
    count("overflows_tolerated", loss.trackers.overflows_tolerated);
    if constexpr (std::same_as<Scaling, DynamicLossScaling>) {
      require(loss.trackers.growth_tracker < settings.growth_interval, name, "growth_tracker",
              loss.trackers.growth_tracker, "below growth_interval");
      require(loss.trackers.overflows_tolerated < settings.hysteresis, name, "overflows_tolerated",
              loss.trackers.overflows_tolerated, "below hysteresis");
    }
  }
}

}  // namespace halfstep
