#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/ops/formula.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// A coefficient as a number of the formula that uses it.
using halfstep::constant;

/// What a rule's formula needs to know of a step.
template <class Rule>
using CoefficientsOf = decltype(std::declval<const Rule&>().at(std::int64_t{}, double{}));

template <class R, std::size_t... I>
constexpr bool updates_floats(std::index_sequence<I...>) {
  return requires(const CoefficientsOf<R>& c, const float& g, float& w, float* moments) {
    R::update(c, g, w, moments[I]...);
  };
}

/// A rule whose formula needs one element at a time.
template <class R>
concept ElementRule = requires {
  { R::moments } -> std::convertible_to<int>;
  requires updates_floats<R>(std::make_index_sequence<R::moments>());
};

/// How gradients become an update, element by element. A rule knows nothing of precision: a wrapper
/// (MasterWeights, Direct, ...) says which numbers it runs on. It is an aggregate of settings with
///
///   double learning_rate;                       the base rate; a schedule multiplies it
///   static constexpr int moments = 2;           running averages beside each weight, zero at first
///   Coefficients at(int64 step, double rate) const
///                                               what the formula needs in step 1, 2, ...; it runs
///                                               where the step runs, on `rate`, not learning_rate
///   static void update(const Coefficients&, const N& g, N& w, N&... moments)
///                                               the formula, over a number N: float, double or a
///                                               packet; mark it HALFSTEP_INLINE
///
/// and, where it wants them,
///
///   void validate() const                       throws where a setting makes no sense
///   static constexpr int fewest_moments = 0;    with settings that leave the last moments unused,
///   int moments_kept() const                    how many of them are allocated; the formula sees
///                                               0 for the others
///
/// A rule of one's own:
///
///   struct SignDescent {
///     double learning_rate = 1e-3;
///     static constexpr int moments = 0;
///     struct Coefficients { double rate; };
///     HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t, double rate) const { return {rate}; }
///     template <class N>
///     HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g,
///                                                             N& w) {
///       const N rate = halfstep::optim::constant<N>(c.rate);
///       w = w - select(g > 0.0f, rate, select(g < 0.0f, N(0.0f) - rate, 0.0f));
///     }
///   };
///
/// A rule that must see a whole tensor first (LAMB, Adafactor) has no `update`; see
/// optim/tensor_rule.hpp.
template <class R>
concept Rule = std::is_trivially_copyable_v<R> && requires(const R& rule) {
  { rule.learning_rate } -> std::convertible_to<double>;
  rule.at(std::int64_t{}, double{});
  // Clang 14 reads a nested requirement as one expression, which must be valid for every rule.
  requires ElementRule<R> || requires { requires R::per_tensor; };
};

/// How many moments a rule may go without, and how many these settings keep.
template <Rule R>
constexpr int fewest_moments() {
  if constexpr (requires { R::fewest_moments; }) {
    return R::fewest_moments;
  } else {
    return R::moments;
  }
}
template <Rule R>
constexpr int moments_kept(const R& rule) {
  if constexpr (requires { rule.moments_kept(); }) {
    return rule.moments_kept();
  } else {
    return R::moments;
  }
}

/// Throws where a setting is not what it must be.
inline void require_setting(bool sound, std::string_view owner, std::string_view setting,
                            double value, std::string_view wanted) {
  if (!sound)
    fail<UsageError>(owner, ": ", setting, " = ", value, " cannot work; it must be ", wanted);
}
inline void require_decay_rate(std::string_view rule, std::string_view setting, double value) {
  require_setting(value >= 0.0 && value < 1.0, rule, setting, value, "in [0, 1)");
}
inline void require_not_negative(std::string_view rule, std::string_view setting, double value) {
  require_setting(value >= 0.0 && std::isfinite(value), rule, setting, value,
                  "finite and not negative");
}

/// Checks a rule's settings, the ones that every rule has too.
template <Rule R>
void validate(const R& rule) {
  require_not_negative("optimizer", "learning_rate", rule.learning_rate);
  if constexpr (requires { rule.validate(); }) rule.validate();
}

}  // namespace halfstep
