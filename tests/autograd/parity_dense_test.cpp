#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

/// |a - b| <= 1e-9 max|b| over an array.
void expect_equals_file(const std::string& what, const Numbers& found,
                        const nlohmann::json& expected) {
  ASSERT_EQ(found.shape, shape_of(expected)) << what;
  const auto data = expected.at("data").get<std::vector<double>>();
  double largest = 0.0;
  for (const double value : data) largest = std::max(largest, std::fabs(value));
  for (std::size_t i = 0; i < data.size(); ++i)
    EXPECT_LE(std::fabs(found.data[i] - data[i]), 1e-9 * largest)
        << what << " element " << i << ": " << found.data[i] << ", PyTorch " << data[i];
}

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
