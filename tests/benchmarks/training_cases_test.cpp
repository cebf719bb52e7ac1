// What training_step measures, as far as it can be reckoned: the arithmetic of its models, and the
// numbers that they are given.
#include "../../benchmarks/training/cnn.hpp"
#include "../../benchmarks/training/gpt.hpp"
#include "../../benchmarks/training/mlp.hpp"

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

namespace {

using halfstep::Index;

training::StepOptions options_of(const std::string& model, int batch = 0) {
  training::StepOptions options;
  options.model = model;
  options.batch = batch;
  return options;
}

/// Parameters that are added or scale, and are not matrices: biases and layer norms.
Index vectors(const app::GptSettings& model) { return model.width * (13 * model.layers + 2); }

TEST(TrainingCases, Gpt2HasTheParametersOfItsPaper) {
  const training::GptCase gpt2(options_of("gpt2"));
  EXPECT_EQ(gpt2.tokens(), 32 * 1024);
  app::GptSettings small = gpt2.model;
  small.vocabulary = 128;
  small.context = 16;
  small.layers = 1;
  app::Gpt<halfstep::Setup<halfstep::Fp32, halfstep::backend::Reference>> one(small);
  small.layers = 2;
  app::Gpt<halfstep::Setup<halfstep::Fp32, halfstep::backend::Reference>> two(small);
  const Index layer = two.parameters().size() - one.parameters().size();
  const Index padded =
      gpt2.model.vocabulary + gpt2.model.context - small.vocabulary - small.context;
  const Index all = one.parameters().size() + 11 * layer + padded * gpt2.model.width;
  // 124,439,808 with 50257 tokens, of which 47 are added here.
  EXPECT_EQ(all, 124'439'808 + 47 * 768);
}

TEST(TrainingCases, AGptsArithmeticIsThatOfItsProductsAndSixOperationsForEachVectorsElement) {
  for (const char* name : {"gpt", "gpt2"}) {
    const training::GptCase c(options_of(name, 2));
    const app::GptSettings& model = c.model;
    const Index matrices = 12 * model.layers * model.width * model.width;
    const Index embeddings =
        (model.vocabulary * (model.tied ? 1 : 2) + model.context) * model.width;
    const double expected =
        measure::flop(c.products()) + 6.0 * static_cast<double>(c.tokens() * vectors(model));
    // Integers below 2^53: no rounding.
    EXPECT_EQ(c.model_flop(matrices + embeddings + vectors(model)), expected) << name;
  }
}

TEST(TrainingCases, ABatchSetsWhatAStepMultiplies) {
  const training::MlpCase mlp(options_of("mlp")), small(options_of("mlp", 32));
  EXPECT_EQ(mlp.batch_size, 128);
  EXPECT_EQ(4.0 * small.model_flop(0), mlp.model_flop(0));
  // Three products of each layer but the first, whose input has no gradient.
  EXPECT_EQ(small.model_flop(0), 64.0 * (2 * 784 * 512 + 3 * 512 * 512 + 3 * 512 * 10));
  EXPECT_EQ(training::CnnCase(options_of("cnn", 3)).batch_size, 3);
}

TEST(RandomNumbers, AreTheSameWhereverTheyAreDrawn) {
  const measure::NormalNumbers anywhere{7, 0.5f};
  const halfstep::Tensor<float> in_order = measure::random_tensor<float>({37}, 7, 0.5f);
  for (Index i = 36; i >= 0; --i) {
    float x = 0.0f;
    anywhere(i, x);
    EXPECT_EQ(x, in_order.span()[static_cast<std::size_t>(i)]) << i;
  }
}

TEST(StepProducts, RunOnABackendsOwnProducts) {
  using Products =
      measure::BackendProducts<halfstep::Setup<halfstep::MixedBf16, halfstep::backend::Reference>>;
  const std::vector<measure::LayerProducts> layers{measure::LinearProducts{4, 3, 6, false},
                                                   measure::ConvolutionProducts{2, 1, 3, 6, 3},
                                                   measure::AttentionProducts{2, 4, 3}};
  const measure::StepProducts<Products> step(layers);
  step();
  EXPECT_EQ(measure::flop(layers),
            4.0 * 4 * 3 * 6 + 6.0 * (2 * 4 * 4 * 9 * 3) + 6.0 * 2 * 4 * 4 * 3);
}

}  // namespace
