#include "support/convolution_parity.hpp"

namespace halfstep::test {
namespace {

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

TEST(ConvolutionParity, InDoubleTheReferenceEqualsPyTorch) {
  for_each_convolution_case([](const nlohmann::json& one, ImageLayout layout) {
    const DenseResult found =
        ConvolutionCase<double, backend::Reference>(one, rounded_to<double>, layout).run();
    expect_equals_file("output", found.output, one.at("outputs").at("y"));
    EXPECT_EQ(found.gradients.size(), one.at("gradients").size());
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

}  // namespace
}  // namespace halfstep::test
