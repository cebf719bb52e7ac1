#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(DenseParity, InDoubleTheReferenceEqualsPyTorch) {
  expect_dense_equals_pytorch<backend::Reference>();
}

TEST(DenseParity, AnOperationThatIsNeitherBuiltNorListedFails) {
  const nlohmann::json unknown{{"op", "unheard_of"}, {"attributes", nlohmann::json::object()}};
  EXPECT_THROW((DenseCase<double, backend::Reference>(unknown, rounded_to<double>).run()),
               std::runtime_error);
}

}  // namespace
}  // namespace halfstep::test
