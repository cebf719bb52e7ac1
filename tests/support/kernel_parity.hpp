#pragma once

#include "support/backend_test.hpp"
#include "support/convolution_parity.hpp"
#include "support/ctc_parity.hpp"
#include "support/dense_parity.hpp"
#include "support/normalization_parity.hpp"
#include "support/recurrent_parity.hpp"

// Every layer in 16 bits and FP32 within its bounds, for backends whose operations are the kernels
// of a GPU.
namespace halfstep::test {

/// A backend, and what its layers are stored in.
template <class B, class S>
struct ParityCase {
  using Backend = B;
  using Storage = S;
};

template <class Case>
class Kernels : public BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Kernels);

TYPED_TEST_P(Kernels, KeepTheBoundsOfDenseOperations) {
  expect_dense_parity<typename TypeParam::Storage, typename TypeParam::Backend, Dense::others>();
}
TYPED_TEST_P(Kernels, KeepTheBoundsOfActivations) {
  expect_dense_parity<typename TypeParam::Storage, typename TypeParam::Backend,
                      Dense::activations>();
}
TYPED_TEST_P(Kernels, KeepTheBoundsOfAttention) {
  expect_dense_parity<typename TypeParam::Storage, typename TypeParam::Backend, Dense::attention>();
}
TYPED_TEST_P(Kernels, KeepTheBoundsOfNormalizations) {
  expect_normalization_parity<typename TypeParam::Storage, typename TypeParam::Backend>();
}
TYPED_TEST_P(Kernels, KeepTheBoundsOfConvolutionsAndPooling) {
  expect_convolution_parity<typename TypeParam::Storage, typename TypeParam::Backend>();
}
TYPED_TEST_P(Kernels, KeepTheBoundsOfRecurrentLayers) {
  expect_recurrent_parity<typename TypeParam::Storage, typename TypeParam::Backend>();
}
TYPED_TEST_P(Kernels, KeepTheBoundsOfTheCtcLoss) {
  expect_ctc_parity<typename TypeParam::Storage, typename TypeParam::Backend>();
}
REGISTER_TYPED_TEST_SUITE_P(Kernels, KeepTheBoundsOfDenseOperations, KeepTheBoundsOfActivations,
                            KeepTheBoundsOfAttention, KeepTheBoundsOfNormalizations,
                            KeepTheBoundsOfConvolutionsAndPooling, KeepTheBoundsOfRecurrentLayers,
                            KeepTheBoundsOfTheCtcLoss);

}  // namespace halfstep::test
