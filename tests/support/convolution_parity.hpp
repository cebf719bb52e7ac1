#pragma once

#include <halfstep/autograd/convolution.hpp>
#include <halfstep/autograd/pool.hpp>

#include "support/dense_parity.hpp"

namespace halfstep::test {

template <class S>
double magnitude_of(double x) {
  return std::fabs(rounded_to<S>(x));
}

/// Runs one case of convolution.json in storage type S on backend B, in either layout: the file's
/// images have channels first, and autograd turns them.
template <class S, class B>
class ConvolutionCase : public DenseCase<S, B, Dense::others> {
  using Base = DenseCase<S, B, Dense::others>;
  using V = Variable<S, B>;

 public:
  ConvolutionCase(const nlohmann::json& given, double (*round)(double), ImageLayout layout)
      : Base(given, round), given_(given), layout_(layout) {}

  DenseResult run() {
    const std::string op = given_.at("op");
    const nlohmann::json& attributes = given_.at("attributes");
    const V x = turned(this->input("x"), true);
    if (op == "conv2d") {
      expect_only(attributes, {"stride", "padding", "dilation", "groups"});
      return end(conv2d(x, this->input("weight"), this->input("bias"),
                        {.stride = extent("stride", 1),
                         .padding = extent("padding", 0),
                         .dilation = extent("dilation", 1),
                         .groups = setting<Index>(attributes, "groups", 1),
                         .layout = layout_}));
    }
    if (op == "conv1d") {
      expect_only(attributes, {"stride", "padding"});
      return end(conv1d(x, this->input("weight"), this->input("bias"),
                        {.stride = setting<Index>(attributes, "stride", 1),
                         .padding = setting<Index>(attributes, "padding", 0),
                         .layout = layout_}));
    }
    if (op == "conv_transpose2d") {
      expect_only(attributes, {"stride", "padding", "output_padding"});
      return end(conv_transpose2d(x, this->input("weight"), this->input("bias"),
                                  {.stride = extent("stride", 1),
                                   .padding = extent("padding", 0),
                                   .output_padding = extent("output_padding", 0),
                                   .layout = layout_}));
    }
    if (op == "global_avg_pool2d") {
      expect_only(attributes, {});
      return this->finish(global_avg_pool2d(x, layout_));
    }
    if (op != "max_pool2d" && op != "avg_pool2d")
      throw std::runtime_error("the test does not know the operation " + op);
    expect_only(attributes, {"kernel", "stride", "padding"});
    const Pool2dSettings settings{
        .stride = extent("stride", 0), .padding = extent("padding", 0), .layout = layout_};
    return end(op == "max_pool2d" ? max_pool2d(x, extent("kernel", 0), settings)
                                  : avg_pool2d(x, extent("kernel", 0), settings));
  }

 private:
  Extent2d extent(const char* name, Index otherwise) const {
    const nlohmann::json& attributes = given_.at("attributes");
    if (!attributes.contains(name)) return otherwise;
    const nlohmann::json& value = attributes.at(name);
    if (value.is_array()) return {value.at(0).get<Index>(), value.at(1).get<Index>()};
    return value.get<Index>();
  }
  /// From channels first to the layout, or back.
  V turned(V x, bool there) const {
    if (layout_ == ImageLayout::channels_first) return x;
    const int last = x.shape().rank() - 1;
    for (int axis = 1; axis < last; ++axis) {
      const int at = there ? axis : last - axis;
      x = transpose(x, at, at + 1);
    }
    return x;
  }
  DenseResult end(const V& y) { return this->finish(turned(y, false)); }

  const nlohmann::json& given_;
  ImageLayout layout_;
};

/// Calls `check(case, layout)` for every case of convolution.json in both layouts.
template <class Check>
void for_each_convolution_case(const Check& check) {
  const nlohmann::json cases = parity_cases("convolution.json");
  EXPECT_GT(cases.size(), 0u);
  int number = 0;
  for (const nlohmann::json& one : cases) {
    SCOPED_TRACE("case " + std::to_string(number++) + ": " + one.at("op").get<std::string>() + " " +
                 one.at("attributes").dump());
    for (const ImageLayout layout : {ImageLayout::channels_first, ImageLayout::channels_last}) {
      SCOPED_TRACE(layout == ImageLayout::channels_last ? "channels last" : "channels first");
      try {
        check(one, layout);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
}

/// Every case of convolution.json in double on backend B, in both layouts.
template <class B>
void expect_convolution_equals_pytorch() {
  for_each_convolution_case([](const nlohmann::json& one, ImageLayout layout) {
    expect_result_equals_file(ConvolutionCase<double, B>(one, rounded_to<double>, layout).run(),
                              one);
  });
}

/// |a - b| <= u_store |b| + (1 + u_store) gamma_K(u_compute) M for every element of the cases in S
/// on B, where b and M are the double reference's results on the same rounded numbers and on their
/// absolute values (Higham, ch. 3), and no sum has more terms than K, the largest array's elements
/// and the few operations after it. The largest element is exact, and its M is 0.
template <class S, class B>
void expect_convolution_parity() {
  const auto everything = [](const DenseResult& result) {
    auto arrays = result.gradients;
    arrays["output"] = result.output;
    return arrays;
  };
  for_each_convolution_case([&](const nlohmann::json& one, ImageLayout layout) {
    using Exact = ConvolutionCase<double, backend::Reference>;
    const auto plain = ImageLayout::channels_first;
    const DenseResult exact = Exact(one, rounded_to<S>, plain).run();
    const bool maximum = one.at("op") == "max_pool2d";
    // The windows' maxima of absolute values would be others: all upstreams bound their sums.
    const auto sizes = everything(Exact(one, magnitude_of<S>, plain).run());
    const auto found = everything(ConvolutionCase<S, B>(one, rounded_to<S>, layout).run());
    const double u = Machine<B>::template product_roundoff<S>;
    const double gamma = (exact.terms + 4) * u / (1.0 - (exact.terms + 4) * u);
    for (const auto& [name, expected] : everything(exact)) {
      const Numbers& got = found.at(name);
      ASSERT_EQ(got.shape, expected.shape) << name;
      const double windows = 9 * exact.largest_upstream;
      for (std::size_t i = 0; i < expected.data.size(); ++i) {
        const double size = !maximum ? sizes.at(name).data[i] : name == "output" ? 0.0 : windows;
        const double bound = got.unit_roundoff * std::fabs(expected.data[i]) +
                             (1.0 + got.unit_roundoff) * gamma * size +
                             numeric_traits<S>::min_subnormal;
        EXPECT_LE(std::fabs(got.data[i] - expected.data[i]), bound)
            << name << " element " << i << ": " << got.data[i] << ", in double "
            << expected.data[i];
      }
    }
  });
}

}  // namespace halfstep::test
