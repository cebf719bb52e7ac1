#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/fp32_island.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>

#include <cmath>

#include "support/gradients.hpp"

namespace {

using namespace halfstep;
using B = backend::Reference;
using Half = Variable<float16, B>;
using Single = Variable<float, B>;
using test::to_doubles;
using test::values;

/// x / |x|, row by row: the squares leave float16 where x is beyond 255.
const auto unit_rows = [](const auto& x) { return x / sqrt(sum(x * x, -1, true)); };

TEST(Fp32Island, RoundsNothingTo16BitsInside) {
  const Half x = values<float16>({300, 400, 1.2e-4, 1.6e-4}, {2, 2});
  const auto y = fp32_island(unit_rows, x);
  static_assert(std::same_as<decltype(y), const Half>);
  // Results below 1, each rounded once: by less than the unit roundoff.
  const double a = storage_cast<double>(x.value().data()[2]);
  const double b = storage_cast<double>(x.value().data()[3]);
  const double u = numeric_traits<float16>::unit_roundoff;
  EXPECT_EQ(to_doubles(y.value())[0], storage_cast<double>(storage_cast<float16>(0.6)));
  EXPECT_EQ(to_doubles(y.value())[1], storage_cast<double>(storage_cast<float16>(0.8)));
  EXPECT_NEAR(to_doubles(y.value())[2], a / std::hypot(a, b), u);
  EXPECT_NEAR(to_doubles(y.value())[3], b / std::hypot(a, b), u);
  // Without it, 300^2 is infinite, and 1.6e-4^2 is less than half the smallest number.
  const auto lost = to_doubles(unit_rows(x).value());
  EXPECT_EQ(lost[0], 0.0);
  EXPECT_FALSE(std::isfinite(lost[2]));
}

TEST(Fp32Island, KeepsItsResultInFp32WhereAsked) {
  const Half x = values<float16>({300, 400}, {1, 2});
  const auto energy = fp32_island<keep_output>([](const auto& v) { return sum(v * v, -1); }, x);
  static_assert(std::same_as<decltype(energy), const Single>);
  EXPECT_EQ(energy.value().data()[0], 250000.0f);
}

TEST(Fp32Island, TakesVariablesOfAnyStorageTypeAndWhateverElse) {
  const Half x = values<float16>({1, 2, 3, 4}, {2, 2});
  const Variable<bfloat16, B> shift = values<bfloat16>({0.5, -0.5}, {2});
  const auto labels = test::integers({1, 0});
  const auto loss = fp32_island<keep_output>(
      [](const Single& a, const Single& b, const Tensor<std::int32_t>& targets, double factor) {
        return cross_entropy((a + b) * factor, targets);
      },
      x, shift, labels, 2.0);
  const Single wide = values<float>({3, 3, 7, 7}, {2, 2});
  EXPECT_EQ(loss.value().data()[0], cross_entropy(wide, labels).value().data()[0]);
}

TEST(Fp32Island, IsGoneThroughByGradients) {
  // In double, where casts to the compute type are none, the gradient is f's own ...
  test::expect_gradients(
      [](const test::Exact& x, const test::Exact& w) {
        return fp32_island([](const auto& a, const auto& b) { return unit_rows(a * b); }, x, w);
      },
      test::sample<double>({3, 4}, 1, 0.5, 2.0), test::sample<double>({3, 4}, 2, 0.5, 2.0));

  // ... and in 16 bits it is the FP32 gradient, rounded once to each input's own type.
  const auto x = test::sample<float16>({3, 4}, 3, 0.5, 2.0);
  const auto w = test::sample<bfloat16>({3, 4}, 4, 0.5, 2.0);
  const auto scaled = [](const auto& a, const auto& b) { return unit_rows(a * b); };
  const Half x16 = Half::leaf(x);
  const auto w16 = Variable<bfloat16, B>::leaf(w);
  test::propagate_ones(fp32_island(scaled, x16, w16));
  const Single x32 = Single::leaf(test::converted<float>(x));
  const Single w32 = Single::leaf(test::converted<float>(w));
  test::propagate_ones(scaled(x32, w32));
  EXPECT_EQ(to_doubles(x16.gradient()),
            to_doubles(test::converted<float16>(Tensor<float>(x32.gradient()))));
  EXPECT_EQ(to_doubles(w16.gradient()),
            to_doubles(test::converted<bfloat16>(Tensor<float>(w32.gradient()))));
}

TEST(Fp32Island, CastsNothingThatIsInFp32) {
  const Single x = values<float>({1, 2}, {2});
  const auto same = fp32_island([](const Single& v) { return v; }, x);
  EXPECT_EQ(same.value().data(), x.value().data());
}

}  // namespace
