#pragma once

#include <algorithm>
#include <cmath>

namespace halfstep::test {

/// How far a normalization that computes with unit roundoff u may be from the exact one, before
/// results are rounded to their storage.
///
/// With n values in a set, |x| <= X, r the largest scale and k = max(1, X r): the mean is within
/// (n + 1) u X, distances within (n + 3) u X, the variance within the relative 2 (n + 3) u k +
/// (n + 3) u, and since |x'| <= sqrt n, x' is within
///   E = 3 (n + 10) u k sqrt n.
struct NormalizationError {
  double u = 0.0;
  double x = 0.0;          ///< the largest |x|
  double parameter = 1.0;  ///< the largest weight or bias, at least 1
  double upstream = 0.0;   ///< the largest
  double scale = 0.0;      ///< the largest 1 / sqrt(variance + epsilon)
  double set = 1.0;        ///< values that share a mean
  double channel = 1.0;    ///< values that share a weight

  double root() const { return std::sqrt(set); }
  double conditioning() const { return std::max(1.0, x * scale); }
  double of_normalized() const { return 3.0 * (set + 10.0) * u * conditioning() * root(); }
  double of_y() const { return of_normalized() * parameter; }
  /// r times three terms of at most sqrt n times the upstream each; every factor is within E.
  double of_gradient() const {
    return 6.0 * root() * of_normalized() * scale * upstream * parameter;
  }
  /// Sums over the values of a channel.
  double of_weight() const {
    return channel * upstream * (of_normalized() + (channel + 2.0) * u * root());
  }
  double of_bias() const { return channel * channel * upstream * u; }
  double of_mean() const { return (set + 4.0) * u * x; }
  double of_variance() const { return 4.0 * (set + 5.0) * u * conditioning() * x * x; }
};

}  // namespace halfstep::test
