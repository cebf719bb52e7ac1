#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(DenseParity, InDoubleTheReferenceEqualsPyTorch) {
  for_each_dense_case([](const nlohmann::json& one, const std::string&) {
    const DenseResult found = DenseCase<double, backend::Reference>(one, rounded_to<double>).run();
    expect_equals_file("output", found.output, one.at("outputs").at("y"));
    EXPECT_EQ(found.gradients.size(), one.at("gradients").size());
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

TEST(DenseParity, AnOperationThatIsNeitherBuiltNorListedFails) {
  const nlohmann::json unknown{{"op", "unheard_of"}, {"attributes", nlohmann::json::object()}};
  EXPECT_THROW((DenseCase<double, backend::Reference>(unknown, rounded_to<double>).run()),
               std::runtime_error);
}

}  // namespace
}  // namespace halfstep::test
