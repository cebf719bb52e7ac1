#pragma once

#include <cmath>
#include <limits>

namespace halfstep::test {

/// A number in double together with a bound on how far an FP32 evaluation of the same expression
/// may be from it (running error analysis: Higham, "Accuracy and Stability of Numerical
/// Algorithms", section 3.3). One operation adds u |result| to what its operands bring; a fused
/// multiply-add adds less.
struct Tracked {
  static constexpr double u = 0x1p-24;

  double value = 0.0;
  double error = 0.0;

  Tracked() = default;
  /// A coefficient: computed in double, then rounded to float.
  Tracked(double coefficient) : value(coefficient), error(u * std::fabs(coefficient)) {}
  Tracked(double exact_value, double error_bound) : value(exact_value), error(error_bound) {}
  /// A number that the FP32 evaluation holds as well.
  static Tracked exact(double value) { return {value, 0.0}; }

  static Tracked rounded(double value, double error) {
    return {value, error + u * (std::fabs(value) + error) + 0x1p-149};
  }
  friend Tracked operator+(const Tracked& a, const Tracked& b) {
    return Tracked::rounded(a.value + b.value, a.error + b.error);
  }
  friend Tracked operator-(const Tracked& a, const Tracked& b) {
    return Tracked::rounded(a.value - b.value, a.error + b.error);
  }
  friend Tracked operator*(const Tracked& a, const Tracked& b) {
    return Tracked::rounded(
        a.value * b.value,
        std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error);
  }
  friend Tracked operator/(const Tracked& a, const Tracked& b) {
    const double smallest = std::fabs(b.value) - b.error;
    const double quotient = a.value / b.value;
    const double error = smallest > 0.0 ? (a.error + std::fabs(quotient) * b.error) / smallest
                                        : std::numeric_limits<double>::infinity();
    return Tracked::rounded(quotient, error);
  }
  friend Tracked sqrt(const Tracked& x) {
    const double root = std::sqrt(x.value);
    return Tracked::rounded(root, root - std::sqrt(std::fmax(0.0, x.value - x.error)));
  }
  /// 1, 0 or -1; any of them where the sign is not certain.
  friend Tracked sign(const Tracked& x) {
    return {x.value > 0.0   ? 1.0
            : x.value < 0.0 ? -1.0
                            : 0.0,
            std::fabs(x.value) <= x.error && x.error > 0.0 ? 2.0 : 0.0};
  }
};

}  // namespace halfstep::test
