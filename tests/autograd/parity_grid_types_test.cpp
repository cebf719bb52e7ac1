// The kernels of a GPU, run on the host, in every storage type within the bounds of all backends.
#include <halfstep/backend/grid/host_grid.hpp>

#include "support/convolution_parity.hpp"
#include "support/dense_parity.hpp"
#include "support/normalization_parity.hpp"
#include "support/recurrent_parity.hpp"

namespace halfstep::test {
namespace {

using backend::HostGrid;

template <class S>
class GridTypes : public testing::Test {};
using Types = testing::Types<float, float16, bfloat16>;
TYPED_TEST_SUITE(GridTypes, Types);

TYPED_TEST(GridTypes, DenseOperations) {
  expect_dense_parity<TypeParam, HostGrid, Dense::others>();
}
TYPED_TEST(GridTypes, Activations) {
  expect_dense_parity<TypeParam, HostGrid, Dense::activations>();
}
TYPED_TEST(GridTypes, Attention) { expect_dense_parity<TypeParam, HostGrid, Dense::attention>(); }
TYPED_TEST(GridTypes, Normalizations) { expect_normalization_parity<TypeParam, HostGrid>(); }
TYPED_TEST(GridTypes, ConvolutionsAndPooling) { expect_convolution_parity<TypeParam, HostGrid>(); }
TYPED_TEST(GridTypes, RecurrentLayers) { expect_recurrent_parity<TypeParam, HostGrid>(); }

}  // namespace
}  // namespace halfstep::test
