#pragma once

#include <halfstep/autograd/ctc_loss.hpp>
#include <halfstep/autograd/shape_operations.hpp>

#include "support/dense_parity.hpp"

namespace halfstep::test {

/// What the CTC loss made of a case.
struct CtcResult {
  Numbers loss;
  Numbers gradient;
  double upstream = 0.0;
  double steps = 0.0;
  double largest_logarithm = 0.0;  ///< at most: how far logits of one step lie apart, and log n
};

/// Runs the case in storage type S on backend B; logits and upstream pass `round` first. The file's
/// logits are [time, batch, classes].
template <class S, class B>
CtcResult run_ctc(const nlohmann::json& one, double (*round)(double)) {
  const nlohmann::json& inputs = one.at("inputs");
  const nlohmann::json& attributes = one.at("attributes");
  expect_only(attributes, {"blank", "reduction", "input_lengths", "target_lengths"});
  const auto data = inputs.at("logits").at("data").get<std::vector<double>>();
  Tensor<S> logits(shape_of(inputs.at("logits")));
  double largest = 0.0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    logits.data()[i] = storage_cast<S>(round(data[i]));
    largest = std::max(largest, std::fabs(round(data[i])));
  }
  const auto integers = [](const nlohmann::json& list, const Shape& shape) {
    return on_device<B>(list.get<std::vector<std::int32_t>>()).reshaped(shape);
  };
  const Index batch = logits.shape()[1];
  const Variable<S, B> x = Variable<S, B>::leaf(on_device<B>(logits));
  const auto loss = ctc_loss(
      transpose(x, 0, 1), integers(inputs.at("target").at("data"), shape_of(inputs.at("target"))),
      integers(attributes.at("input_lengths"), {batch}),
      integers(attributes.at("target_lengths"), {batch}), {.blank = attributes.at("blank")},
      attributes.at("reduction") == "sum" ? LossReduction::sum : LossReduction::mean);
  using Scalar = typename numeric_traits<S>::compute;
  Tensor<Scalar> upstream(Shape{});
  CtcResult result;
  result.upstream = one.at("upstream").at("y").at("data").at(0);
  upstream.data()[0] = static_cast<Scalar>(result.upstream);
  autograd::propagate(loss, on_device<B>(upstream));
  result.loss = numbers_of<B>(loss.value());
  result.gradient = numbers_of<B>(x.gradient());
  result.steps = static_cast<double>(logits.shape()[0]);
  result.largest_logarithm = 2.0 * largest + std::log(static_cast<double>(logits.shape()[2]));
  return result;
}

template <class Check>
void for_each_ctc_case(const Check& check) {
  int seen = 0;
  for_each_case({"sequence.json"}, [&](const nlohmann::json& one, const std::string& op) {
    if (op != "ctc_loss") return;
    ++seen;
    check(one);
  });
  EXPECT_GT(seen, 0);
}

/// Every case of the CTC loss in double on backend B.
template <class B>
void expect_ctc_equals_pytorch() {
  for_each_ctc_case([](const nlohmann::json& one) {
    const CtcResult found = run_ctc<double, B>(one, rounded_to<double>);
    expect_equals_file("loss", found.loss, one.at("outputs").at("y"));
    expect_equals_file("gradient", found.gradient, one.at("gradients").at("logits"));
  });
}

/// A step adds an emission, which is within (8 + M) u where M bounds a logarithm, to a logarithm of
/// at most T (M + 2), and the sum of exponentials loses 8 u more: a loss is within E = T u (16 + M
/// + T (M + 2)). A gradient is the upstream times a softmax minus exponentials that add up to at
/// most 1, whose exponents are within 3 E.
template <class S, class B>
void expect_ctc_parity() {
  for_each_ctc_case([](const nlohmann::json& one) {
    const CtcResult exact = run_ctc<double, backend::Reference>(one, rounded_to<S>);
    const CtcResult found = run_ctc<S, B>(one, rounded_to<S>);
    const double u = numeric_traits<typename numeric_traits<S>::compute>::unit_roundoff;
    const double m = exact.largest_logarithm, t = exact.steps;
    const double error = t * u * (16.0 + m + t * (m + 2.0));
    const auto batch = static_cast<double>(exact.gradient.shape[1]);
    EXPECT_NEAR(found.loss.data[0], exact.loss.data[0], batch * error);
    const double stored = numeric_traits<S>::unit_roundoff;
    for (std::size_t i = 0; i < exact.gradient.data.size(); ++i)
      EXPECT_NEAR(found.gradient.data[i], exact.gradient.data[i],
                  std::fabs(exact.upstream) * 4.0 * error +
                      stored * std::fabs(exact.gradient.data[i]) + 0x1p-25 * (stored >= 0x1p-11))
          << i;
  });
}

}  // namespace halfstep::test
