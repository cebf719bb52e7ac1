#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/first_not_finite.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

using Bf16 = halfstep::Setup<MixedBf16, backend::Reference>;
constexpr float infinity = std::numeric_limits<float>::infinity();

struct Model {
  FlatModel<Bf16> flat;
  Model() { flat.add<bfloat16>("a", {1.0}).add<float>("b", {1.0, 1.0}).parameters(); }
  /// A loss with these gradients.
  Variable<float, backend::Reference> loss(float of_a, float of_b) {
    return sum(cast<float>(flat.store().variable<bfloat16>(0))) * of_a +
           sum(flat.store().variable<float>(1)) * of_b;
  }
  std::string first() { return autograd::first_not_finite(flat.store()); }
};

TEST(FirstNotFinite, NamesTheFirstParameterInOrder) {
  Model model;
  const auto after = [&](float of_a, float of_b) {
    static_cast<void>(backward(model.loss(of_a, of_b), model.flat.parameters()));
    return model.first();
  };
  EXPECT_EQ(after(1.0f, 1.0f), "");
  EXPECT_EQ(after(1.0f, infinity), "b");
  EXPECT_EQ(after(infinity, infinity), "a");
  EXPECT_EQ(after(1.0f, 1.0f), "");
}

TEST(FirstNotFinite, SeesMicroBatchesBeforeTheLast) {
  Model model;
  {
    auto gradients = backward(model.loss(infinity, 1.0f), model.flat.parameters());
    gradients = backward(model.loss(1.0f, 1.0f), std::move(gradients));
    EXPECT_EQ(model.first(), "a");
  }
  // A later step does not look at the sums of an earlier one.
  static_cast<void>(backward(model.loss(1.0f, 1.0f), model.flat.parameters()));
  EXPECT_EQ(model.first(), "");
}

}  // namespace
}  // namespace halfstep::test
