// Attention on tensor cores, and in plain loops, on a GPU.
#include "attention_checks.hpp"
#include "support/cuda_device.hpp"

namespace attention_checks {
using halfstep::backend::Cublas;
using numbers::Case;
using Cases = testing::Types<Case<Cublas, float>, Case<Cublas, halfstep::float16>,
                             Case<Cublas, halfstep::bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Attention, Cases);
}  // namespace attention_checks
