// The kernels of a GPU, run on the host, against PyTorch.
#include <halfstep/backend/grid/host_grid.hpp>

#include "support/convolution_parity.hpp"
#include "support/dense_parity.hpp"
#include "support/normalization_parity.hpp"
#include "support/recurrent_parity.hpp"

namespace halfstep::test {
namespace {

using backend::HostGrid;

TEST(GridParity, DenseOperationsInDoubleEqualPyTorch) {
  for_each_dense_case([](const nlohmann::json& one, const std::string&) {
    const DenseResult found = DenseCase<double, HostGrid>(one, rounded_to<double>).run();
    expect_equals_file("output", found.output, one.at("outputs").at("y"));
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

TEST(GridParity, NormalizationsInDoubleEqualPyTorch) {
  for_each_case({"normalization.json"}, [](const nlohmann::json& one, const std::string&) {
    const NormalizationResult found =
        NormalizationCase<double, HostGrid>(one, rounded_to<double>).run();
    for (const auto& [name, output] : found.outputs)
      expect_equals_file(name, output, one.at("outputs").at(name));
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

TEST(GridParity, ConvolutionsAndPoolingInDoubleEqualPyTorch) {
  for_each_convolution_case([](const nlohmann::json& one, ImageLayout layout) {
    const DenseResult found =
        ConvolutionCase<double, HostGrid>(one, rounded_to<double>, layout).run();
    expect_equals_file("output", found.output, one.at("outputs").at("y"));
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

TEST(GridParity, RecurrentLayersInDoubleEqualPyTorch) {
  for_each_recurrent_case([](const nlohmann::json& one) {
    const RecurrentResult found = run_recurrent<double, HostGrid>(one, rounded_to<double>);
    for (const auto& [name, array] : found.arrays)
      expect_equals_file(name, array,
                         name == "y" ? one.at("outputs").at("y") : one.at("gradients").at(name));
  });
}

}  // namespace
}  // namespace halfstep::test
