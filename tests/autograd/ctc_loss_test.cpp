#include <halfstep/autograd/ctc_loss.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/eigen.hpp>
#include <halfstep/backend/test_device.hpp>

#include <cmath>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::LossReduction;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::integers;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

/// -log of the summed probability of all paths of `time` steps that collapse to `target`.
double by_enumeration(const hs::Tensor<double>& logits, Index row, Index time,
                      const std::vector<int>& target, int blank) {
  const Index classes = logits.shape()[2];
  const auto log_probabilities = to_doubles(hs::log_softmax(Exact(logits)).value());
  Index paths = 1;
  for (Index t = 0; t < time; ++t) paths *= classes;
  double total = 0.0;
  for (Index path = 0; path < paths; ++path) {
    std::vector<int> labels;
    double log_probability = 0.0;
    int before = -1;
    for (Index t = 0, rest = path; t < time; ++t, rest /= classes) {
      const int label = static_cast<int>(rest % classes);
      if (label != blank && label != before) labels.push_back(label);
      before = label;
      log_probability += log_probabilities[static_cast<std::size_t>(
          (row * logits.shape()[1] + t) * classes + label)];
    }
    if (labels == target) total += std::exp(log_probability);
  }
  return -std::log(total);
}

TEST(CtcLoss, IsMinusTheLogarithmOfAllPathsTogether) {
  const auto logits = sample<double>({5, 4, 3}, 1);
  const auto targets = integers({1, 1, 1, 2, 2, 0, 0, 0, 2, 1}, {5, 2});
  const auto steps = integers({4, 4, 3, 2, 2}), labels = integers({2, 2, 1, 0, 2});
  const std::vector<std::vector<int>> wanted{{1, 1}, {1, 2}, {2}, {}, {2, 1}};
  double sum = 0.0, mean = 0.0;
  for (std::size_t row = 0; row < 5; ++row) {
    const double loss =
        by_enumeration(logits, static_cast<Index>(row), steps.data()[row], wanted[row], 0);
    sum += loss;
    mean += loss / static_cast<double>(std::max<std::size_t>(1, wanted[row].size())) / 5.0;
  }
  const auto loss = [&](LossReduction reduction) {
    return hs::ctc_loss(Exact(logits), targets, steps, labels, {}, reduction).value().data()[0];
  };
  // Sums of at most 3^4 paths and of 4 steps.
  EXPECT_NEAR(loss(LossReduction::sum), sum, 200 * 0x1p-53 * sum);
  EXPECT_NEAR(loss(LossReduction::mean), mean, 200 * 0x1p-53 * mean);
}

TEST(CtcLoss, MayHaveItsBlankAnywhere) {
  const auto logits = sample<double>({1, 4, 3}, 1);
  const double loss = hs::ctc_loss(Exact(logits), integers({0, 1}, {1, 2}), integers({4}),
                                   integers({2}), {.blank = 2}, LossReduction::sum)
                          .value()
                          .data()[0];
  EXPECT_NEAR(loss, by_enumeration(logits, 0, 4, {0, 1}, 2), 200 * 0x1p-53 * loss);
}

TEST(CtcLoss, Gradients) {
  const auto targets = integers({1, 2, 2, 3, 1, 0, 2, 0, 0}, {3, 3});
  for (const LossReduction reduction : {LossReduction::sum, LossReduction::mean})
    expect_gradients(
        [&](const Exact& x) {
          return hs::ctc_loss(x, targets, integers({6, 5, 1}), integers({3, 2, 1}), {}, reduction);
        },
        sample<double>({3, 6, 4}, 1));
  expect_gradients(
      [](const Exact& x) {
        return hs::ctc_loss(x, integers({1}, {1, 1}), integers({1}), integers({0}));
      },
      sample<double>({1, 1, 2}, 1));
}

TEST(CtcLoss, GivesNoGradientPastARowsEnd) {
  const Exact x = Exact::leaf(sample<double>({1, 4, 3}, 1));
  hs::test::propagate_ones(hs::ctc_loss(x, integers({1}, {1, 1}), integers({2}), integers({1})));
  const auto gradient = to_doubles(x.gradient());
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(gradient[i] != 0.0, i < 6) << i;
}

template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const hs::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(CtcLoss, NamesATargetThatCannotFit) {
  // Two equal labels need three steps.
  const Exact x(sample<double>({2, 5, 3}, 1));
  const auto targets = integers({1, 2, 1, 1}, {2, 2});
  const auto message = message_of([&] {
    hs::ctc_loss(x, targets, integers({2, 2}), integers({2, 2}));
  });
  for (const char* part :
       {"ctc_loss", "row 1", "2 labels", "1 repeats", "2 steps", "[2, 5, 3]", "zero_infinity"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_GT(hs::ctc_loss(x, targets, integers({2, 3}), integers({2, 2})).value().data()[0], 0.0);
}

TEST(CtcLoss, WithZeroInfinityCountsNothingThatCannotFit) {
  const auto logits = sample<double>({2, 5, 3}, 1);
  const auto targets = integers({1, 2, 1, 1}, {2, 2});
  const Exact x = Exact::leaf(logits);
  const Exact loss = hs::ctc_loss(x, targets, integers({2, 2}), integers({2, 2}),
                                  {.zero_infinity = true}, LossReduction::sum);
  const double first = by_enumeration(logits, 0, 2, {1, 2}, 0);
  EXPECT_NEAR(loss.value().data()[0], first, 200 * 0x1p-53 * first);
  hs::test::propagate_ones(loss);
  const auto gradient = to_doubles(x.gradient());
  for (std::size_t i = 15; i < 30; ++i) EXPECT_EQ(gradient[i], 0.0);
  EXPECT_NE(gradient[0], 0.0);
}

TEST(CtcLoss, NamesWhatElseDoesNotFit) {
  const Exact x(sample<double>({2, 5, 3}, 1));
  const auto lengths = integers({5, 5}), labels = integers({1, 1});
  const auto targets = integers({1, 2}, {2, 1});
  const auto refused = [&](const auto& t, const auto& in, const auto& out,
                           hs::CtcSettings settings = {}) {
    return message_of([&] { hs::ctc_loss(x, t, in, out, settings); });
  };
  EXPECT_NE(refused(targets, integers({5, 6}), labels).find("input length 6 of row 1"),
            std::string::npos);
  EXPECT_NE(refused(targets, integers({0, 5}), labels).find("input length 0 of row 0"),
            std::string::npos);
  EXPECT_NE(refused(targets, lengths, integers({1, 2})).find("target length 2 of row 1"),
            std::string::npos);
  EXPECT_NE(refused(integers({1, 3}, {2, 1}), lengths, labels).find("label 3"), std::string::npos);
  EXPECT_NE(refused(integers({1, 0}, {2, 1}), lengths, labels).find("label 0"), std::string::npos);
  EXPECT_NE(refused(targets, lengths, labels, {.blank = 3}).find("blank 3"), std::string::npos);
  EXPECT_NE(refused(targets, integers({5}), labels).find("input lengths [1]"), std::string::npos);
  EXPECT_NE(refused(targets, lengths, integers({1})).find("target lengths [1]"), std::string::npos);
  EXPECT_NE(refused(integers({1, 2, 1}, {3, 1}), lengths, labels).find("[3, 1]"),
            std::string::npos);
}

/// The gradient of a loss on a backend.
template <class B>
std::vector<double> gradient_on() {
  const auto on = [](const auto& host) {
    using Element = typename std::decay_t<decltype(host)>::Element;
    hs::TensorOf<Element, B> tensor(host.shape());
    B::upload(host.span(), tensor.data());
    return tensor;
  };
  using V = hs::Variable<double, B>;
  const V x = V::leaf(on(sample<double>({2, 6, 4}, 1)));
  const V loss = hs::ctc_loss(x, on(integers({1, 2, 2, 3}, {2, 2})), on(integers({6, 5})),
                              on(integers({2, 2})));
  hs::Tensor<double> one(Shape{});
  one.data()[0] = 1.0;
  hs::autograd::propagate(loss, on(one));
  std::vector<double> gradient(48);
  B::download(x.gradient().data(), std::span<double>(gradient));
  return gradient;
}

TEST(CtcLoss, NeverLooksAtTheDeviceFromTheHost) {
  EXPECT_EQ(gradient_on<hs::backend::Delayed>(), gradient_on<hs::backend::Reference>());
}

TEST(CtcLoss, IsTheSameForAnyThreads) {
  const int before = hs::threads();
  std::vector<std::vector<double>> gradients;
  for (const int count : {1, 2, 3}) {
    hs::set_threads(count);
    gradients.push_back(gradient_on<hs::backend::Eigen>());
  }
  hs::set_threads(before);
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_EQ(gradients[0], gradients[2]);
}

}  // namespace
