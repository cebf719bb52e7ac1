#pragma once

#include <halfstep/autograd/check_gradients.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace halfstep::test {

using Exact = Variable<double, backend::Reference>;

/// Fails with the worst element where backward and central differences differ.
template <class F, class... Inputs>
void expect_gradients(const F& f, const Inputs&... inputs) {
  const GradientReport report = check_gradients(f, inputs...);
  EXPECT_TRUE(report) << report.message;
}

/// The upstream gradient 1 for every element of a result, and back.
template <class S, class B>
void propagate_ones(const Variable<S, B>& result) {
  Tensor<S> ones(result.shape());
  for (S& one : ones.span()) one = storage_cast<S>(1.0);
  autograd::propagate(result, ones);
}

}  // namespace halfstep::test
