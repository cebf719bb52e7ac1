#pragma once

#include "support/backend_test.hpp"
#include "support/convolution_parity.hpp"
#include "support/ctc_parity.hpp"
#include "support/dense_parity.hpp"
#include "support/normalization_parity.hpp"
#include "support/recurrent_parity.hpp"

// Every layer in double against PyTorch, for backends whose operations are the kernels of a GPU.
namespace halfstep::test {

template <class B>
class KernelsInDouble : public BackendTest<B, double> {};
TYPED_TEST_SUITE_P(KernelsInDouble);

TYPED_TEST_P(KernelsInDouble, EqualPyTorchInDenseOperations) {
  expect_dense_equals_pytorch<TypeParam>();
}
TYPED_TEST_P(KernelsInDouble, EqualPyTorchInNormalizations) {
  expect_normalization_equals_pytorch<TypeParam>();
}
TYPED_TEST_P(KernelsInDouble, EqualPyTorchInConvolutionsAndPooling) {
  expect_convolution_equals_pytorch<TypeParam>();
}
TYPED_TEST_P(KernelsInDouble, EqualPyTorchInRecurrentLayers) {
  expect_recurrent_equals_pytorch<TypeParam>();
}
TYPED_TEST_P(KernelsInDouble, EqualPyTorchInTheCtcLoss) { expect_ctc_equals_pytorch<TypeParam>(); }
REGISTER_TYPED_TEST_SUITE_P(KernelsInDouble, EqualPyTorchInDenseOperations,
                            EqualPyTorchInNormalizations, EqualPyTorchInConvolutionsAndPooling,
                            EqualPyTorchInRecurrentLayers, EqualPyTorchInTheCtcLoss);

}  // namespace halfstep::test
