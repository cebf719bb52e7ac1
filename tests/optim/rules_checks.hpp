#pragma once

#include "support/flat_model.hpp"
#include "textbook.hpp"

#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {

/// Micro-batches are not what these tests are about: without FP32 sums there is less to compile.
struct Lean : MixedFp16 {
  using GradientAccumulator = float16;
};

/// Runs a rule for as many steps as there are gradients on FP32, FP16 and BF16 parameters with
/// masters, and compares with the textbook: FP32 values within the bound of a running error
/// analysis, twice as large because operations may be ordered otherwise; 16-bit weights exactly
/// their rounded masters.
template <class Backend = backend::Default, class Rule>
void expect_textbook(const Rule& rule, const std::vector<double>& start,
                     const std::vector<std::vector<double>>& gradients) {
  // No product is taken, so BF16 is no more here than a storage type, which every GPU has.
  using Setup = halfstep::Setup<Lean, Backend, also_stores<bfloat16>>;
  FlatModel<Setup> model;
  model.template add<float>("float", start).template add<float16>("float16", start);
  model.template add<bfloat16>("bfloat16", start);
  Optimizer optimizer(model.parameters(), optim::MasterWeights{rule});
  for (const auto& gradient : gradients) optimizer.step(model.gradients(gradient));

  const auto compare = [&]<class T>(const std::string& name, T) {
    const std::vector<double> weights = model.weights(name);
    std::vector<double> masters = weights;
    if constexpr (numeric_traits<T>::is_16_bit) masters = model.masters(name);
    for (std::size_t i = 0; i < start.size(); ++i) {
      Textbook<Tracked, Rule> textbook{rule};
      Tracked w = Tracked::exact(static_cast<float>(start[i]));
      int t = 0;
      for (const auto& gradient : gradients)
        textbook.step(++t, Tracked::exact(storage_cast<double>(storage_cast<T>(gradient[i]))), w);
      // A bound that lets weights be anywhere would prove nothing.
      ASSERT_LT(w.error, 0.05);
      ASSERT_LE(std::fabs(masters[i] - w.value), 2.0 * w.error)
          << name << " " << i << " after " << t << " steps of " << Rule::name << ": " << masters[i]
          << " and " << w.value;
      ASSERT_EQ(weights[i], storage_cast<double>(storage_cast<T>(masters[i])));
    }
  };
  compare("float", 0.0f);
  compare("float16", float16());
  compare("bfloat16", bfloat16());
}

/// The weights after some steps in double.
template <class Backend = backend::Reference, class Rule>
std::vector<double> run_in_double(const Rule& rule, const std::vector<double>& start,
                                  const std::vector<std::vector<double>>& gradients,
                                  std::size_t steps) {
  using Setup = halfstep::Setup<Fp64, Backend>;
  FlatModel<Setup> model;
  model.template add<double>("w", start);
  Optimizer optimizer(model.parameters(), rule);
  for (std::size_t t = 0; t < steps; ++t) optimizer.step(model.gradients(gradients[t]));
  return model.weights("w");
}

}  // namespace halfstep::test
