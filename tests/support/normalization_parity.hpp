#pragma once

#include <halfstep/autograd/batch_norm.hpp>
#include <halfstep/autograd/normalization.hpp>

#include "support/dense_parity.hpp"
#include "support/normalization_error.hpp"

namespace halfstep::test {

/// What a normalization made of a case.
struct NormalizationResult {
  std::map<std::string, Numbers> outputs;
  std::map<std::string, Numbers> gradients;
  NormalizationError size;
};

/// Runs one case of normalization.json in storage type S on backend B; x and upstream pass `round`
/// first, parameters and statistics are FP32 (or double).
template <class S, class B>
class NormalizationCase {
  using T = typename numeric_traits<S>::compute;

 public:
  NormalizationCase(const nlohmann::json& given, double (*round)(double))
      : given_(given), round_(round) {}

  NormalizationResult run() {
    const std::string op = given_.at("op");
    const nlohmann::json& attributes = given_.at("attributes");
    const double epsilon = attributes.at("eps");
    const Variable<S, B> x = leaf<S>("x", result_.size.x, round_);
    const Variable<T, B> weight = leaf<T>("weight", result_.size.parameter, rounded_to<double>);
    const Variable<T, B> bias = given_.at("inputs").contains("bias")
                                    ? leaf<T>("bias", result_.size.parameter, rounded_to<double>)
                                    : Variable<T, B>();
    const double channels = static_cast<double>(weight.size());
    result_.size.channel = static_cast<double>(x.size()) / channels;
    result_.size.set =
        op == "batch_norm_train" || op == "batch_norm_eval" ? result_.size.channel : channels;
    if (op == "layer_norm") {
      expect_only(attributes, {"eps"});
      return finish(layer_norm(x, weight.shape(), weight, bias, epsilon));
    }
    if (op == "rms_norm") {
      expect_only(attributes, {"eps"});
      return finish(rms_norm(x, weight.shape(), weight, epsilon));
    }
    if (op == "group_norm") {
      expect_only(attributes, {"eps", "groups"});
      const Index groups = attributes.at("groups");
      result_.size.set = static_cast<double>(x.size() / x.shape()[0] / groups);
      return finish(group_norm(x, groups, weight, bias, epsilon));
    }
    if (op == "batch_norm_train") {
      expect_only(attributes, {"eps", "momentum"});
      const auto normalized = batch_norm(x, weight, bias, epsilon);
      const double momentum = attributes.at("momentum");
      running("running_mean", "rm", normalized.mean, momentum);
      running("running_var", "rv", normalized.variance, momentum);
      return finish(normalized.y);
    }
    if (op == "batch_norm_eval") {
      expect_only(attributes, {"eps"});
      double ignored = 0.0;
      return finish(batch_norm(x, tensor<T>("rm", result_.size.x, rounded_to<double>),
                               tensor<T>("rv", ignored, rounded_to<double>), weight, bias,
                               epsilon));
    }
    throw std::runtime_error("the test does not know the operation '" + op + "'");
  }

 private:
  template <class Stored>
  TensorOf<Stored, B> tensor(const std::string& name, double& largest, double (*round)(double)) {
    return filled<Stored>(given_.at("inputs").at(name), largest, round);
  }
  template <class Stored>
  static TensorOf<Stored, B> filled(const nlohmann::json& array, double& largest,
                                    double (*round)(double)) {
    const auto data = array.at("data").get<std::vector<double>>();
    Tensor<Stored> tensor(shape_of(array));
    for (std::size_t i = 0; i < data.size(); ++i) {
      largest = std::max(largest, std::fabs(round(data[i])));
      tensor.data()[i] = storage_cast<Stored>(round(data[i]));
    }
    return on_device<B>(tensor);
  }
  template <class Stored>
  Variable<Stored, B> leaf(const std::string& name, double& largest, double (*round)(double)) {
    auto variable = Variable<Stored, B>::leaf(tensor<Stored>(name, largest, round));
    read_.push_back(
        [this, name, variable] { result_.gradients[name] = numbers_of<B>(variable.gradient()); });
    return variable;
  }
  /// The statistic after a step, as PyTorch moves it.
  void running(const std::string& name, const char* before, const TensorOf<T, B>& now,
               double momentum) {
    Numbers moved = numbers_of<B>(now);
    const auto from = given_.at("inputs").at(before).at("data").get<std::vector<double>>();
    for (std::size_t i = 0; i < from.size(); ++i)
      moved.data[i] = (1.0 - momentum) * from[i] + momentum * moved.data[i];
    result_.outputs[name] = moved;
  }
  NormalizationResult finish(const Variable<S, B>& y) {
    result_.outputs["y"] = numbers_of<B>(y.value());
    autograd::propagate(y, filled<S>(given_.at("upstream").at("y"), result_.size.upstream, round_));
    for (const auto& read : read_) read();
    result_.size.scale = largest_scale();
    return result_;
  }
  /// 1 / sqrt(variance + epsilon), at most, over all sets.
  double largest_scale() const {
    const std::string op = given_.at("op");
    const double epsilon = given_.at("attributes").at("eps");
    const nlohmann::json& array = given_.at("inputs").at("x");
    auto x = array.at("data").get<std::vector<double>>();
    for (double& value : x) value = round_(value);
    const Shape shape = shape_of(array);
    double smallest = std::numeric_limits<double>::infinity();
    if (op == "batch_norm_eval") {
      for (const double v : given_.at("inputs").at("rv").at("data"))
        smallest = std::min(smallest, v);
    } else if (op == "batch_norm_train") {
      const ChannelLayout layout{shape[0], shape[1], shape.size_between(2, shape.rank())};
      std::vector<double> mean(static_cast<std::size_t>(shape[1])), variance(mean.size());
      backend::Reference::channel_moments(layout, x.data(), mean.data(), variance.data());
      smallest = *std::min_element(variance.begin(), variance.end());
    } else {
      const auto n = static_cast<std::size_t>(result_.size.set);
      for (std::size_t i = 0; i < x.size(); i += n) {
        double mean = 0.0, square = 0.0;
        for (std::size_t j = i; j < i + n; ++j) mean += x[j] / static_cast<double>(n);
        if (op == "rms_norm") mean = 0.0;
        for (std::size_t j = i; j < i + n; ++j) square += (x[j] - mean) * (x[j] - mean);
        smallest = std::min(smallest, square / static_cast<double>(n));
      }
    }
    return 1.0 / std::sqrt(smallest + epsilon);
  }

  const nlohmann::json& given_;
  double (*round_)(double);
  std::vector<std::function<void()>> read_;
  NormalizationResult result_;
};

/// |a - b| <= u_store |b| + error.
inline void expect_near(const std::string& what, const Numbers& a, const Numbers& b, double error) {
  ASSERT_EQ(a.shape, b.shape) << what;
  const double subnormal =
      a.unit_roundoff == numeric_traits<float16>::unit_roundoff ? 0x1p-25 : 0.0;
  for (std::size_t i = 0; i < b.data.size(); ++i)
    EXPECT_LE(std::fabs(a.data[i] - b.data[i]),
              a.unit_roundoff * std::fabs(b.data[i]) + (1 + a.unit_roundoff) * error + subnormal)
        << what << " element " << i << ": " << a.data[i] << ", in double " << b.data[i];
}

/// Every case of normalization.json in double on backend B.
template <class B>
void expect_normalization_equals_pytorch() {
  for_each_case({"normalization.json"}, [](const nlohmann::json& one, const std::string&) {
    const NormalizationResult found = NormalizationCase<double, B>(one, rounded_to<double>).run();
    EXPECT_EQ(found.outputs.size(), one.at("outputs").size());
    for (const auto& [name, output] : found.outputs)
      expect_equals_file(name, output, one.at("outputs").at(name));
    EXPECT_EQ(found.gradients.size(), one.at("gradients").size());
    for (const auto& [name, gradient] : found.gradients)
      expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
  });
}

/// Every case of normalization.json in storage type S on backend B against the double reference on
/// the same rounded values.
template <class S, class B>
void expect_normalization_parity() {
  for_each_case({"normalization.json"}, [](const nlohmann::json& one, const std::string&) {
    const NormalizationResult exact =
        NormalizationCase<double, backend::Reference>(one, rounded_to<S>).run();
    const NormalizationResult found = NormalizationCase<S, B>(one, rounded_to<S>).run();
    NormalizationError error = exact.size;
    error.u = numeric_traits<typename numeric_traits<S>::compute>::unit_roundoff;
    const std::map<std::string, double> errors{
        {"y", error.of_y()},           {"running_mean", error.of_mean()},
        {"x", error.of_gradient()},    {"running_var", error.of_variance()},
        {"weight", error.of_weight()}, {"bias", error.of_bias()}};
    for (const auto& [name, output] : exact.outputs)
      expect_near(name, found.outputs.at(name), output, errors.at(name));
    for (const auto& [name, gradient] : exact.gradients)
      expect_near("gradient of " + name, found.gradients.at(name), gradient, errors.at(name));
  });
}

}  // namespace halfstep::test
