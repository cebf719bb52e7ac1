#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/setup.hpp>

#include <gtest/gtest.h>

namespace {

using namespace halfstep;

struct OwnScale : MixedFp16 {
  static constexpr std::string_view name = "own_scale";
  using LossScaling = StaticLossScaling;
};
// What autocast does: FP32 parameters, cast where a product reads them.
struct Autocast : MixedBf16 {
  using Parameter = float;
  using Update = update::Direct;
};
struct NoRoles {
  static constexpr std::string_view name = "no_roles";
};

TEST(PrecisionPolicy, NamesATypeForEveryRole) {
  static_assert(PrecisionPolicy<Fp32> && PrecisionPolicy<Tf32> && PrecisionPolicy<MixedFp16> &&
                PrecisionPolicy<MixedBf16> && PrecisionPolicy<PureFp16> &&
                PrecisionPolicy<PureBf16>);
  static_assert(!PrecisionPolicy<NoRoles> && !PrecisionPolicy<float>);
  EXPECT_EQ(MixedBf16::name, "mixed_bf16");
}

TEST(PrecisionPolicy, IsDerivedByChangingOneAlias) {
  using Own = halfstep::Setup<OwnScale, backend::Reference>;
  static_assert(std::same_as<Own::LossScaling, StaticLossScaling>);
  static_assert(std::same_as<Own::Parameter, float16>);
  EXPECT_EQ(Own::Precision::name, "own_scale");
}

TEST(PrecisionPolicy, MayKeepParametersInFp32AsAutocastDoes) {
  using Cast = halfstep::Setup<Autocast, backend::Reference>;
  static_assert(std::same_as<Cast::Parameter, float> && std::same_as<Cast::Activation, bfloat16>);
  EXPECT_TRUE(SoundPolicy<Autocast>::value);
}

TEST(PrecisionPolicy, OfFp32NamesTheTypeOfFp32InEveryRole) {
  static_assert(std::same_as<Fp32::Parameter, float> && std::same_as<Fp32::Moment, float>);
  // Mixed policies sum, reduce and keep masters in FP32.
  static_assert(std::same_as<MixedFp16::Accumulator, float> &&
                std::same_as<MixedFp16::Reduction, float> &&
                std::same_as<MixedFp16::Master, float> &&
                std::same_as<MixedFp16::GradientAccumulator, float>);
  EXPECT_TRUE(MixedFp16::LossScaling::scales);
  EXPECT_FALSE(MixedBf16::LossScaling::scales);
}

TEST(SetupOfALayer, GivesALayerAnotherPolicyOnTheSameBackend) {
  using Model = halfstep::Setup<MixedBf16, backend::Reference>;
  using Logits = Model::with<Fp32, keep_output>;
  static_assert(std::same_as<Logits::Backend, backend::Reference>);
  static_assert(std::same_as<Logits::Activation, float>);
  EXPECT_TRUE(Logits::keeps_output);
  EXPECT_FALSE(Model::keeps_output);
}

TEST(SetupOfALayer, KnowsWhichPrecisionsABackendHas) {
  EXPECT_TRUE((has_precision<backend::Reference, MixedFp16>));
  EXPECT_FALSE((has_precision<backend::Reference, Tf32>));
}

}  // namespace
