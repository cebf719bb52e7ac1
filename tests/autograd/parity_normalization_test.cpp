#include "support/normalization_parity.hpp"

namespace halfstep::test {
namespace {

TEST(NormalizationParity, InDoubleTheReferenceEqualsPyTorch) {
  for_each_case({"normalization.json"}, [](const nlohmann::json& one, const std::string&) {
    const NormalizationResult found =
        NormalizationCase<double, backend::Reference>(one, rounded_to<double>).run();
    EXPECT_EQ(found.outputs.size(), one.at("outputs").size());
    for (const auto& [name, output] : found.outputs)
      expect_equals_file(name, output, one.at("outputs").at(name));
    EXPECT_EQ(found.gradients.size(), one.at("gradients").size());
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

}  // namespace
}  // namespace halfstep::test
