#pragma once

#include <halfstep/ops/formula.hpp>

namespace halfstep::inline HALFSTEP_ABI::formulas {

/// max(x, 0); NaN stays NaN.
struct Relu {
  static constexpr Saves saves = Saves::output;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return max(x, constant<N>(0.0));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& y) const {
    return select(y > constant<N>(0.0), g, constant<N>(0.0));
  }
};

/// x where x > 0, slope x elsewhere.
struct LeakyRelu {
  static constexpr Saves saves = Saves::input;
  double slope;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return select(x > constant<N>(0.0), x, constant<N>(slope) * x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return select(x > constant<N>(0.0), g, constant<N>(slope) * g);
  }
};

}  // namespace halfstep
