#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's recurrent step must do.
namespace recurrent_checks {

namespace hs = halfstep;
using hs::Index;
using hs::RecurrentStep;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

/// A step of a cell forward and back, on a backend and in its types.
template <class Cell, class T>
struct Run {
  using Scalar = hs::Compute<T>;
  std::vector<Scalar> state, to_state;
  std::vector<T> saved, y, to_input, to_hidden;

  template <class B>
  Run(B, const RecurrentStep& step, const std::vector<T>& upstream) {
    const Index hidden = step.batch * step.hidden, sums = hidden * Cell::gates;
    const auto input = on_device<B>(normal_numbers<Scalar>(sums, 1));
    const auto of_hidden = on_device<B>(normal_numbers<Scalar>(sums, 2));
    const auto products = on_device<B>(normal_numbers<Scalar>(hidden, 5));
    const auto there_upstream = on_device<B>(upstream);
    auto there_state = on_device<B>(normal_numbers<Scalar>(hidden, 3));
    auto there_to_state = on_device<B>(normal_numbers<Scalar>(hidden, 4));
    // A GRU saves less than the five numbers of an LSTM, and leaves the rest alone.
    auto there_saved = on_device<B>(std::vector<T>(static_cast<std::size_t>(hidden * 5)));
    hs::TensorOf<T, B> there_y(hs::Shape{hidden});
    // A cell of one gradient for both of its sums writes the first array alone.
    const std::vector<T> zeros(static_cast<std::size_t>(sums));
    auto there_to_input = on_device<B>(zeros), there_to_hidden = on_device<B>(zeros);
    B::template recurrent_step<Cell>(step, input.data(), of_hidden.data(), there_saved.data(),
                                     there_state.data(), there_y.data());
    B::template recurrent_step_backward<Cell>(
        step, std::as_const(there_saved).data(), there_upstream.data(), products.data(),
        there_to_state.data(), there_to_input.data(), there_to_hidden.data());
    state = on_host<B>(there_state);
    to_state = on_host<B>(there_to_state);
    saved = on_host<B>(there_saved);
    y = on_host<B>(there_y);
    to_input = on_host<B>(there_to_input);
    to_hidden = on_host<B>(there_to_hidden);
  }
  std::vector<std::vector<double>> all() const {
    return {as_double(state), as_double(to_state), as_double(saved),
            as_double(y),     as_double(to_input), as_double(to_hidden)};
  }
};

/// The packets' sigmoid and tanh are within 3 ulp of the scalar's, and a gradient is a product of
/// at most 5 factors below 8 of such numbers, each of which may have been rounded to storage.
template <class B, class Cell, class T>
void expect_near_reference() {
  const std::vector<std::int32_t> lengths{2, 3, 1};
  const auto there_lengths = on_device<B>(lengths);
  for (const Index hidden : {1, 5, 37}) {
    const RecurrentStep step{.batch = 3, .hidden = hidden, .time = 1, .lengths = lengths.data()};
    const auto upstream = normal_numbers<T>(3 * hidden, 6);
    RecurrentStep there = step;
    there.lengths = there_lengths.data();
    const auto got = Run<Cell, T>(B(), there, upstream).all();
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

template <class Case>
class Recurrent : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Recurrent);

TYPED_TEST_P(Recurrent, StepsAreThoseOfTheReference) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  expect_near_reference<B, hs::formulas::LstmCell, T>();
  expect_near_reference<B, hs::formulas::GruCell, T>();
}

REGISTER_TYPED_TEST_SUITE_P(Recurrent, StepsAreThoseOfTheReference);

}  // namespace recurrent_checks
