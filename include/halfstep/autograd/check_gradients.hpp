#pragma once

#include <halfstep/autograd/propagate.hpp>
#include <halfstep/backend/reference.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How gradients are checked.
struct GradientCheck {
  /// An element moves by this times max(1, |x|): near the cube root of a double's epsilon, where
  /// the formula's error (step^2) and rounding (epsilon / step) are equal.
  double step = 6e-6;
  /// The largest |numeric - backward| / max(1, largest |gradient| of that input).
  double tolerance = 1e-7;
};

/// What a check of gradients found: `if (!report) std::cerr << report.message`.
struct GradientReport {
  bool passed = true;
  double worst = 0.0;   ///< the largest relative distance
  std::string message;  ///< the element where it is
  explicit operator bool() const { return passed; }
};

namespace autograd {

/// Weights of the outputs, all different, so that errors do not cancel.
inline double output_weight(Index i) {
  return 0.5 + std::fmod(0.6180339887498949 * double(i + 1), 1.0);
}

/// sum_i weight_i y_i, of any result that holds doubles.
template <class B>
double weighted_sum(const Variable<double, B>& y) {
  std::vector<double> values(static_cast<std::size_t>(y.size()));
  B::download(y.value().read().data(), std::span<double>(values));
  double sum = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += output_weight(Index(i)) * values[i];
  return sum;
}

}  // namespace autograd

/// Compares backward's gradients of f with central differences
///   (f(x + h) - f(x - h)) / (2 h),
/// for every element of every input, in double.
///
/// @tparam B  the backend; it must compute in double
/// @param f       `Variable<double, B> f(const Variable<double, B>&...)`, of any output shape
/// @param inputs  where it is checked: away from points where f has no derivative
/// @return  whether all agree, and the worst element
template <class B = backend::Reference, class F, class... T>
GradientReport check_gradients(const GradientCheck& settings, const F& f,
                               const Tensor<T, typename B::DeviceType>&... inputs) {
  static_assert((std::is_same_v<T, double> && ...),
                "halfstep: check_gradients works in double; give it Tensor<double>");
  using V = Variable<double, B>;
  std::array<TensorOf<double, B>, sizeof...(T)> values{inputs...};
  std::array<V, sizeof...(T)> leaves;
  for (std::size_t i = 0; i < values.size(); ++i) leaves[i] = V::leaf(values[i]);
  const auto call = [&](const auto& x) { return std::apply(f, x); };

  const V y = call(leaves);
  std::vector<double> upstream(static_cast<std::size_t>(y.size()));
  for (std::size_t i = 0; i < upstream.size(); ++i) upstream[i] = autograd::output_weight(Index(i));
  TensorOf<double, B> weights(y.shape());
  B::upload(std::span<const double>(upstream), weights.data());
  autograd::propagate(y, weights);

  GradientReport report;
  const no_gradient pause;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto n = static_cast<std::size_t>(values[i].size());
    std::vector<double> point(n), gradient(n, 0.0), numeric(n);
    B::download(values[i].read().data(), std::span<double>(point));
    if (!leaves[i].gradient().empty())
      B::download(leaves[i].gradient().data(), std::span<double>(gradient));
    std::array<V, sizeof...(T)> moved;
    for (std::size_t other = 0; other < values.size(); ++other) moved[other] = values[other];
    double largest = 1.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double step = settings.step * std::max(1.0, std::fabs(point[j]));
      const auto at = [&](double x) {
        std::vector<double> shifted = point;
        shifted[j] = x;
        TensorOf<double, B> tensor(values[i].shape());
        B::upload(std::span<const double>(shifted), tensor.data());
        moved[i] = tensor;
        return autograd::weighted_sum(call(moved));
      };
      numeric[j] = (at(point[j] + step) - at(point[j] - step)) / (2.0 * step);
      largest = std::max({largest, std::fabs(numeric[j]), std::fabs(gradient[j])});
    }
    for (std::size_t j = 0; j < n; ++j) {
      const double distance = std::fabs(numeric[j] - gradient[j]) / largest;
      if (distance <= report.worst) continue;  // and NaN goes on
      report.worst = distance;
      std::ostringstream message;
      message << "check_gradients: element " << j << " of input " << i << " " << values[i].shape()
              << " at " << point[j] << ": backward says " << gradient[j] << ", central differences "
              << numeric[j] << ", relative distance " << distance;
      report.message = message.str();
      report.passed = distance <= settings.tolerance;
      if (std::isnan(distance)) return report;
    }
  }
  return report;
}

template <class B = backend::Reference, class F, class... T>
requires(!std::is_same_v<F, GradientCheck>) GradientReport
    check_gradients(const F& f, const Tensor<T, typename B::DeviceType>&... inputs) {
  return check_gradients<B>(GradientCheck{}, f, inputs...);
}

}  // namespace halfstep
