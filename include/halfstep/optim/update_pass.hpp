#pragma once

#include <halfstep/autograd/gradients.hpp>
#include <halfstep/optim/rule.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// What an update pass reads where it runs; all of it lies on the device.
template <Rule R>
struct StepContext {
  const GradientState* gradients = nullptr;
  const CoefficientsOf<R>* coefficients = nullptr;  ///< of the segment's group
  const std::int64_t* attempted = nullptr;          ///< this step's number, skipped ones counted
  std::uint64_t seed = 0;
  std::uint32_t segment = 0;             ///< tells segments' random numbers apart
  std::int32_t* out_of_range = nullptr;  ///< raised where a weight has no place for its master
};

/// A rule with what a step made of its settings: the part that all wrappers' passes share.
template <Rule R>
struct PreparedRule {
  CoefficientsOf<R> coefficients;
  double multiplier;
  bool skipped;

  HALFSTEP_HOST_DEVICE explicit PreparedRule(const StepContext<R>& context)
      : coefficients(*context.coefficients),
        multiplier(context.gradients->multiplier()),
        skipped(context.gradients->skip_reason() != SkipReason::none) {}

  /// A skipped step touches nothing.
  HALFSTEP_HOST_DEVICE bool skip() const { return skipped; }

  /// Unscales and clips the stored gradient, and updates w and the moments. Moments that are not
  /// kept are 0.
  template <class N, class... M>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void update(const N& stored_gradient, N& w,
                                                   M&... moments) const {
    if constexpr (requires { R::takes_updates; })
      with_all_moments(stored_gradient, w, moments...);
    else
      with_all_moments(stored_gradient * constant<N>(multiplier), w, moments...);
  }

 private:
  template <class N, class... M>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void with_all_moments(const N& g, N& w,
                                                             M&... moments) const {
    if constexpr (sizeof...(M) == static_cast<std::size_t>(R::moments)) {
      R::update(coefficients, g, w, moments...);
    } else {
      N absent = N(0.0f);
      with_all_moments(g, w, moments..., absent);
    }
  }
};

}  // namespace halfstep
