#pragma once

#include <halfstep/ops/formula.hpp>

namespace halfstep::inline HALFSTEP_ABI::formulas {

/// x itself: in an elementwise pass a copy or a cast, in a reduction the plain sum.
struct Identity {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return x;
  }
};

struct Negate {
  static constexpr Saves saves = Saves::nothing;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return -x;
  }
};

/// c x.
struct Scale {
  static constexpr Saves saves = Saves::nothing;
  double factor;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return constant<N>(factor) * x;
  }
};

/// x + c.
struct Shift {
  double distance;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return x + constant<N>(distance);
  }
};

/// c / x.
struct DivideInto {
  static constexpr Saves saves = Saves::input;
  double numerator;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return constant<N>(numerator) / x;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& upstream, const N& x) const {
    return -(upstream * constant<N>(numerator) / (x * x));
  }
};

struct Add {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a + b;
  }
};

struct Subtract {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a - b;
  }
};

struct Multiply {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a * b;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_a(const N& g, const N&, const N& b) const {
    return g * b;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_b(const N& g, const N& a, const N&) const {
    return g * a;
  }
};

struct Divide {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a / b;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_a(const N& g, const N&, const N& b) const {
    return g / b;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_b(const N& g, const N& a, const N& b) const {
    return -(g * (a / b) / b);
  }
};

/// The smaller one; where both are equal each gets half of the gradient. NaN when either is NaN.
struct Minimum {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return min(a, b);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_a(const N& g, const N& a, const N& b) const {
    return select(a < b, g, select(a == b, constant<N>(0.5) * g, constant<N>(0.0)));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_b(const N& g, const N& a, const N& b) const {
    return backward_a(g, b, a);
  }
};

/// The larger one; where both are equal each gets half of the gradient. NaN when either is NaN.
struct Maximum {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return max(a, b);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_a(const N& g, const N& a, const N& b) const {
    return select(a > b, g, select(a == b, constant<N>(0.5) * g, constant<N>(0.0)));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_b(const N& g, const N& a, const N& b) const {
    return backward_a(g, b, a);
  }
};

/// 1 where a < b, else 0 (NaN is not less than anything).
struct Less {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return select(a < b, constant<N>(1.0), constant<N>(0.0));
  }
};

struct LessOrEqual {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return select(a <= b, constant<N>(1.0), constant<N>(0.0));
  }
};

/// y = a where the condition is not 0, else b: an elementwise pass.
struct Choose {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& y, const N& condition, const N& a,
                                                       const N& b) const {
    y = select(condition != constant<N>(0.0), a, b);
  }
};

/// The gradient of what `Choose` took where the condition is not 0 (or where it is).
template <bool chosen>
struct KeepWhere {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& gradient, const N& condition,
                                                       const N& g) const {
    const N zero = constant<N>(0.0);
    gradient = chosen ? select(condition != zero, g, zero) : select(condition != zero, zero, g);
  }
};

struct Absolute {
  static constexpr Saves saves = Saves::input;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return abs(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return select(x > constant<N>(0.0), g, select(x < constant<N>(0.0), -g, constant<N>(0.0)));
  }
};

struct SquareRoot {
  static constexpr Saves saves = Saves::output;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return sqrt(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& y) const {
    return constant<N>(0.5) * g / y;
  }
};

/// x held between two bounds; no gradient outside.
struct Clamp {
  static constexpr Saves saves = Saves::input;
  double low;
  double high;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return min(max(x, constant<N>(low)), constant<N>(high));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    const N inside = select(x <= constant<N>(high), g, constant<N>(0.0));
    return select(x >= constant<N>(low), inside, constant<N>(0.0));
  }
};

}  // namespace halfstep
