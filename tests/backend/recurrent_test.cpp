#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::RecurrentStep;
using hs::backend::CpuLoops;
using hs::backend::Reference;
using numbers::as_double;
using numbers::normal_numbers;

namespace {

template <class T>
class Recurrent : public testing::Test {};
TYPED_TEST_SUITE(Recurrent, numbers::StorageTypes);

/// A step of a cell forward and back, on a backend and in its types.
template <class Cell, class T>
struct Run {
  using Scalar = hs::Compute<T>;
  std::vector<Scalar> state, to_state;
  std::vector<T> saved, y, to_input, to_hidden;

  template <class B>
  Run(B, const RecurrentStep& step, const std::vector<T>& upstream)
      : state(normal_numbers<Scalar>(step.batch * step.hidden, 3)),
        to_state(normal_numbers<Scalar>(step.batch * step.hidden, 4)),
        saved(state.size() * 5),
        y(state.size()),
        to_input(state.size() * Cell::gates),
        to_hidden(to_input.size()) {
    const Index sums = step.batch * step.hidden * Cell::gates;
    const auto input = normal_numbers<Scalar>(sums, 1), hidden = normal_numbers<Scalar>(sums, 2);
    const auto products = normal_numbers<Scalar>(step.batch * step.hidden, 5);
    B::template recurrent_step<Cell>(step, input.data(), hidden.data(), saved.data(), state.data(),
                                     y.data());
    B::template recurrent_step_backward<Cell>(step, std::as_const(saved).data(), upstream.data(),
                                              products.data(), to_state.data(), to_input.data(),
                                              to_hidden.data());
  }
  std::vector<std::vector<double>> all() const {
    return {as_double(state), as_double(to_state), as_double(saved),
            as_double(y),     as_double(to_input), as_double(to_hidden)};
  }
};

/// The packets' sigmoid and tanh are within 3 ulp of the scalar's, and a gradient is a product of
/// at most 5 factors below 8 of such numbers, each of which may have been rounded to storage.
template <class Cell, class T>
void expect_near_reference() {
  const std::vector<std::int32_t> lengths{2, 3, 1};
  for (const Index hidden : {1, 5, 37}) {
    const RecurrentStep step{.batch = 3, .hidden = hidden, .time = 1, .lengths = lengths.data()};
    const auto upstream = normal_numbers<T>(3 * hidden, 6);
    const auto got = Run<Cell, T>(CpuLoops(), step, upstream).all();
    const auto exact = Run<Cell, T>(Reference(), step, upstream).all();
    const double u = hs::numeric_traits<hs::Compute<T>>::unit_roundoff;
    const double stored = hs::numeric_traits<T>::unit_roundoff;
    for (std::size_t array = 0; array < got.size(); ++array)
      for (std::size_t i = 0; i < got[array].size(); ++i)
        ASSERT_NEAR(got[array][i], exact[array][i], 5 * (6 * u + 2 * stored) * 8.0)
            << "array " << array << " element " << i << " of " << hidden;
    // The last row ended before this step.
    for (Index i = 2 * hidden; i < 3 * hidden; ++i) {
      EXPECT_EQ(got[0][static_cast<std::size_t>(i)], 0.0);
      EXPECT_EQ(got[1][static_cast<std::size_t>(i)], 0.0);
      EXPECT_EQ(got[3][static_cast<std::size_t>(i)], 0.0);
      EXPECT_EQ(got[4][static_cast<std::size_t>(i * Cell::gates)], 0.0);
    }
  }
}

}  // namespace

TYPED_TEST(Recurrent, StepsAreThoseOfTheReference) {
  expect_near_reference<hs::formulas::LstmCell, TypeParam>();
  expect_near_reference<hs::formulas::GruCell, TypeParam>();
}

TYPED_TEST(Recurrent, HasTheSameBitsForAnyThreads) {
  const RecurrentStep step{.batch = 300, .hidden = 301};
  const auto upstream = normal_numbers<TypeParam>(300 * 301, 6);
  numbers::expect_same_bits_for_any_threads(
      [&] { return Run<hs::formulas::GruCell, TypeParam>(CpuLoops(), step, upstream).to_input; });
}
