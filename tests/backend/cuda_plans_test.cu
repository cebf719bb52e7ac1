// How products are done on a GPU: raced once, saved, and never raced where bits must stay.
#include <halfstep/backend/deterministic_scope.hpp>

#include "support/cuda_device.hpp"

namespace halfstep::test {
namespace {

using B = backend::Cublas;

/// A product of bfloat16 integers that adds to C, and how often it made the host wait.
class CublasPlans : public BackendTest<B, bfloat16> {
 protected:
  static TensorOf<bfloat16, B> filled(Index size, float value) {
    TensorOf<bfloat16, B> tensor(Shape{size});
    const std::vector<bfloat16> host(static_cast<std::size_t>(size), storage_cast<bfloat16>(value));
    B::upload(std::span<const bfloat16>(host), tensor.data());
    return tensor;
  }
  /// C += A B of ones, [m, 64] by [64, 8]; C and the sums of A's rows started at 2.
  static std::size_t waits_of(Index m) {
    const auto a = filled(m * 64, 1.0f), b = filled(64 * 8, 1.0f);
    auto c = filled(m * 8, 2.0f), sums = filled(m, 2.0f);
    const std::size_t before = B::synchronizations();
    B::gemm_bias_gradient<float>({.m = m, .n = 8, .k = 64, .beta = 1.0f}, a.read().data(),
                                 b.read().data(), c.data(), sums.data(), true);
    const std::size_t waits = B::synchronizations() - before;
    for (const auto* tensor : {&c, &sums}) {
      std::vector<bfloat16> host(static_cast<std::size_t>(tensor->size()));
      B::download(tensor->data(), std::span<bfloat16>(host));
      for (const bfloat16& x : host) EXPECT_EQ(storage_cast<float>(x), 66.0f);
    }
    return waits;
  }
};

TEST_F(CublasPlans, AreRacedOnceAndAddNothingTwice) {
  EXPECT_GT(waits_of(72), 0u);
  EXPECT_EQ(waits_of(72), 0u);
}

TEST_F(CublasPlans, AreNotRacedInADeterministicScope) {
  const backend::DeterministicScope scope;
  EXPECT_EQ(waits_of(88), 0u);
}

TEST_F(CublasPlans, AreValidForThisGpuAndStandAgainstATableThatIsRestored) {
  waits_of(104);
  cudaDeviceProp properties{};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  const std::string machine = backend::cuda::MatmulRuntime::machine();
  EXPECT_EQ(machine.find(properties.name), 0u) << machine;
  auto& plans = B::Plans::shared();
  const std::vector<std::int64_t> saved = plans.words();
  // The same plans, as a file's: what cuBLASLt is asked about when they are next used.
  plans.restore(machine, saved);
  EXPECT_EQ(waits_of(104), 0u);
  EXPECT_EQ(plans.words(), saved);
}

}  // namespace
}  // namespace halfstep::test
