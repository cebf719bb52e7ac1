// What cuDNN makes of our convolutions. Nothing is tested where the build has not found it.
#include "convolution_checks.hpp"
#include "support/cuda_device.hpp"

namespace convolution_checks {
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Convolution);  // cuda_products_test.cu runs them
}

#if defined(HALFSTEP_CUDNN)

namespace hs = halfstep;
namespace cuda = hs::backend::cuda;
using hs::ConvolutionPass;
using Storage = cuda::ConvolutionStorage;

TEST(ConvolutionPlan, DescribesExtentsThatCudnnCountsAsWeDo) {
  for (const hs::ConvolutionProblem& p : convolution_checks::problems())
    for (const Storage storage : {Storage::float32, Storage::float16, Storage::bfloat16})
      for (const auto pass :
           {ConvolutionPass::forward, ConvolutionPass::data, ConvolutionPass::weight}) {
        cuda::ConvolutionKey key;
        key.problem = p;
        key.pass = pass;
        key.storage = storage;
        EXPECT_EQ(cuda::ConvolutionPlan(key).output(),
                  (hs::Shape{p.batch, p.filters, p.output.height, p.output.width}));
      }
}

namespace {

/// cuDNN, as if its heuristics named this algorithm alone.
template <std::size_t Nth>
struct Only : cuda::Cudnn {
  static std::vector<cuda::ConvolutionAlgorithm> algorithms(const cuda::ConvolutionKey& key) {
    const auto all = Cudnn::algorithms(key);
    if (Nth >= all.size()) return {};
    return {all[Nth]};
  }
};
template <std::size_t Nth>
struct ByOne
    : cuda::LibraryConvolutions<hs::backend::grid::Operations<cuda::Queue, cuda::CublasProducts>,
                                Only<Nth>> {};

/// A race may choose any of them.
template <std::size_t... Nth>
void expect_each_exact(std::index_sequence<Nth...>) {
  const hs::backend::DeterministicScope without_a_race;
  (convolution_checks::integers_are_exact<ByOne<Nth>, float>(), ...);
  (convolution_checks::integers_are_exact<ByOne<Nth>, hs::float16>(), ...);
}

class Cudnn : public hs::test::BackendTest<hs::backend::Cublas, float, hs::float16> {};

TEST_F(Cudnn, IsExactForSmallIntegersByEachAlgorithmThatMayBeChosen) {
  expect_each_exact(std::make_index_sequence<5>());
}

TEST_F(Cudnn, NamesNoAlgorithmWhoseProductsAreRoundedBeforeTheyAreAdded) {
  for (const hs::ConvolutionProblem& p : convolution_checks::problems())
    for (const auto pass :
         {ConvolutionPass::forward, ConvolutionPass::data, ConvolutionPass::weight}) {
      cuda::ConvolutionKey key;
      key.problem = p;
      key.pass = pass;
      for (const auto& algorithm : cuda::Cudnn::algorithms(key))
        EXPECT_EQ(algorithm.math, CUDNN_FMA_MATH) << "FP32 must not become TF32 unasked";
    }
}

}  // namespace

#endif
