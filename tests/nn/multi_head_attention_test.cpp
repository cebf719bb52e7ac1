#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/multi_head_attention.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using B = backend::Reference;
using Float = halfstep::Setup<Fp32, B>;

struct Holder : nn::Module<Float> {
  nn::MultiHeadAttention<Float> attend{*this, "attend", 8, 2, {.causal = true}};
};

TEST(MultiHeadAttention, ProjectsAttendsByHeadsAndProjectsAgain) {
  const Holder model;
  const Variable<float, B> x = test::sample<float>({2, 5, 8}, 1);
  auto& store = *model.store();
  const auto of = [&](const char* name) {
    return store.variable<float>(store.find(std::string("attend.") + name));
  };
  const auto qkv = linear(x, of("qkv.weight"), of("qkv.bias"));
  std::vector<Variable<float, B>> heads;
  for (Index head = 0; head < 2; ++head) {
    const auto part = [&](Index third) { return slice(qkv, 2, third * 8 + head * 4, 4); };
    heads.push_back(attention(part(0), part(1), part(2), {.causal = true}));
  }
  const auto expected =
      linear(concatenate({heads[0], heads[1]}, 2), of("projection.weight"), of("projection.bias"));
  const auto got = model.attend(x);
  EXPECT_EQ(got.shape(), x.shape());
  EXPECT_EQ(test::to_doubles(got.value()), test::to_doubles(expected.value()));
}

TEST(MultiHeadAttention, RefusesHeadsThatDoNotDivideTheWidth) {
  const Holder model;
  for (const Index heads : {0, 3, 16}) {
    try {
      nn::MultiHeadAttention<Float>(model, "other", 8, heads);
      FAIL() << heads;
    } catch (const ShapeError& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("'other'"), std::string::npos) << text;
      EXPECT_NE(text.find(std::to_string(heads) + " heads"), std::string::npos) << text;
      EXPECT_NE(text.find("width 8"), std::string::npos) << text;
    }
  }
}

TEST(MultiHeadAttention, RunsUnderItsOwnPrecision) {
  const Holder model;
  const nn::MultiHeadAttention<Float::with<MixedBf16>> narrow(model, "narrow", 8, 2);
  EXPECT_EQ(narrow(Variable<float, B>(test::sample<float>({3, 8}, 1))).shape(), (Shape{3, 8}));
}

}  // namespace
