#include "support/convolution_parity.hpp"

namespace halfstep::test {
namespace {

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
