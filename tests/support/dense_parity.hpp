#pragma once

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/attention.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/gather.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/autograd/propagate.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "support/backend_test.hpp"
#include "support/on_device.hpp"
#include "support/parity_file.hpp"

namespace halfstep::test {

/// An array of a case as it came out, and half an ulp of the type that it was stored in.
struct Numbers {
  Shape shape;
  std::vector<double> data;
  double unit_roundoff = 0.0;
};

/// What an operation made of a case.
struct DenseResult {
  Numbers output;
  std::map<std::string, Numbers> gradients;
  /// The largest inputs and upstreams (at least 1), and the largest number of elements: what error
  /// bounds are made of.
  double largest_input = 1.0;
  double largest_upstream = 1.0;
  double terms = 1.0;
};

inline Shape shape_of(const nlohmann::json& array) {
  const auto extents = array.at("shape").get<std::vector<Index>>();
  return Shape(std::span<const Index>(extents));
}

template <class B, class T>
Numbers numbers_of(const Tensor<T, typename B::DeviceType>& tensor) {
  Numbers all{tensor.shape(), {}, numeric_traits<T>::unit_roundoff};
  for (const T element : on_host<B>(tensor)) all.data.push_back(storage_cast<double>(element));
  return all;
}

/// Which operations a test program compiles: their packet loops are most of what it costs.
enum class Dense { all, activations, attention, others };

inline bool is_activation(const std::string& op) {
  static const std::set<std::string> names{"relu", "gelu_tanh", "gelu_erf",   "sigmoid", "tanh",
                                           "silu", "softplus",  "leaky_relu", "elu"};
  return names.count(op) != 0;
}

/// The program that an operation's cases belong to.
inline Dense program_of(const std::string& op) {
  if (is_activation(op)) return Dense::activations;
  return op == "attention" ? Dense::attention : Dense::others;
}

/// Runs one case in storage type S on backend B; inputs and upstream pass `round` first.
template <class S, class B, Dense which = Dense::all>
class DenseCase {
 public:
  DenseCase(const nlohmann::json& given, double (*round)(double)) : given_(given), round_(round) {}

  DenseResult run() {
    const std::string op = given_.at("op");
    const nlohmann::json& attributes = given_.at("attributes");
    const Dense program = program_of(op);
    if constexpr (which == Dense::all || which == Dense::activations) {
      if (program == Dense::activations) return activation(op, attributes);
    }
    if constexpr (which == Dense::all || which == Dense::attention) {
      if (program == Dense::attention) return attention_of(attributes);
    }
    if constexpr (which == Dense::all || which == Dense::others) {
      if (program == Dense::others) return other(op, attributes);
    }
    throw std::logic_error("this program was compiled without " + op);
  }

 protected:
  DenseResult activation(const std::string& op, const nlohmann::json& attributes) {
    using V = Variable<S, B>;
    using Unary = V (*)(const V&);
    static const std::map<std::string, Unary> plain{
        {"relu", [](const V& x) { return relu(x); }},
        {"gelu_tanh", [](const V& x) { return gelu(x, Gelu::tanh); }},
        {"gelu_erf", [](const V& x) { return gelu(x, Gelu::erf); }},
        {"sigmoid", [](const V& x) { return sigmoid(x); }},
        {"tanh", [](const V& x) { return tanh(x); }},
        {"silu", [](const V& x) { return silu(x); }},
    };
    if (const auto found = plain.find(op); found != plain.end()) {
      expect_only(attributes, {});
      return finish(found->second(input("x")));
    }
    if (op == "softplus") {
      expect_only(attributes, {"beta"});
      return finish(softplus(input("x"), setting(attributes, "beta", 1.0)));
    }
    if (op == "leaky_relu") {
      expect_only(attributes, {"negative_slope"});
      return finish(leaky_relu(input("x"), setting(attributes, "negative_slope", 0.01)));
    }
    if (op == "elu") {
      expect_only(attributes, {"alpha"});
      return finish(elu(input("x"), setting(attributes, "alpha", 1.0)));
    }
    throw std::logic_error("unknown activation " + op);
  }
  DenseResult attention_of(const nlohmann::json& attributes) {
    expect_only(attributes, {"causal", "layout"});
    return finish(attention(input("q"), input("k"), input("v"),
                            {.causal = setting(attributes, "causal", false)}));
  }
  DenseResult other(const std::string& op, const nlohmann::json& attributes) {
    using V = Variable<S, B>;
    if (op == "linear") {
      expect_only(attributes, {"bias"});
      const bool bias = setting(attributes, "bias", true);
      return finish(linear(input("x"), input("weight"), bias ? input("bias") : V()));
    }
    if (op == "softmax" || op == "log_softmax") {
      expect_only(attributes, {"axis"});
      const int axis = setting(attributes, "axis", -1);
      return finish(op == "softmax" ? softmax(input("x"), axis) : log_softmax(input("x"), axis));
    }
    if (op == "cross_entropy") {
      expect_only(attributes, {"label_smoothing", "reduction", "ignore_index"});
      return finish(cross_entropy(input("logits"), integers("target"),
                                  {.label_smoothing = setting(attributes, "label_smoothing", 0.0),
                                   .ignored_target = setting(attributes, "ignore_index", -100)},
                                  reduction(attributes)));
    }
    if (op == "mse_loss") {
      expect_only(attributes, {"reduction"});
      return finish(mse_loss(input("x"), input("target"), reduction(attributes)));
    }
    if (op == "smooth_l1_loss") {
      expect_only(attributes, {"beta", "reduction"});
      return finish(smooth_l1_loss(input("x"), input("target"), setting(attributes, "beta", 1.0),
                                   reduction(attributes)));
    }
    if (op == "bce_with_logits") {
      expect_only(attributes, {"reduction"});
      return finish(bce_with_logits(input("x"), input("target"), reduction(attributes)));
    }
    if (op == "embedding") {
      expect_only(attributes, {"padding_index"});
      std::optional<Index> padding;
      if (attributes.contains("padding_index") && !attributes.at("padding_index").is_null())
        padding = attributes.at("padding_index").get<Index>();
      return finish(embedding(input("weight"), integers("index"), padding));
    }
    throw std::runtime_error("the operation '" + op +
                             "' is neither built nor on the list of those " + "not yet built");
  }

  template <class T>
  TensorOf<T, B> rounded(const nlohmann::json& array, double& largest) {
    const auto data = array.at("data").get<std::vector<double>>();
    Tensor<T> tensor(shape_of(array));
    for (std::size_t i = 0; i < data.size(); ++i) {
      const double value = round_(data[i]);
      largest = std::max(largest, std::fabs(value));
      tensor.data()[i] = storage_cast<T>(value);
    }
    result_.terms = std::max(result_.terms, static_cast<double>(data.size()));
    return on_device<B>(tensor);
  }
  Variable<S, B> input(const std::string& name) {
    TensorOf<S, B> value = rounded<S>(given_.at("inputs").at(name), result_.largest_input);
    if (!given_.at("gradients").contains(name)) return value;
    return leaves_[name] = Variable<S, B>::leaf(std::move(value));
  }
  TensorOf<std::int32_t, B> integers(const std::string& name) {
    const nlohmann::json& array = given_.at("inputs").at(name);
    return on_device<B>(array.at("data").get<std::vector<std::int32_t>>())
        .reshaped(shape_of(array));
  }
  static LossReduction reduction(const nlohmann::json& attributes) {
    const std::string name = setting<std::string>(attributes, "reduction", "mean");
    if (name != "mean" && name != "sum") throw std::runtime_error("unknown reduction " + name);
    return name == "mean" ? LossReduction::mean : LossReduction::sum;
  }
  template <class T>
  DenseResult finish(const Variable<T, B>& y) {
    result_.output = numbers_of<B>(y.value());
    autograd::propagate(y, rounded<T>(given_.at("upstream").at("y"), result_.largest_upstream));
    for (const auto& [name, leaf] : leaves_)
      result_.gradients[name] = numbers_of<B>(leaf.gradient());
    return result_;
  }

  const nlohmann::json& given_;
  double (*round_)(double);
  std::map<std::string, Variable<S, B>> leaves_;
  DenseResult result_;
};

template <class S>
double rounded_to(double x) {
  return storage_cast<double>(storage_cast<S>(x));
}

/// Calls `check(case, name)` for every case of these files.
template <class Check>
void for_each_case(std::initializer_list<const char*> files, const Check& check) {
  int ran = 0;
  for (const char* file : files) {
    if (!std::filesystem::exists(parity_folder() / file)) continue;
    const nlohmann::json cases = parity_cases(file);
    int number = 0;
    for (const nlohmann::json& one : cases) {
      const std::string op = one.at("op");
      SCOPED_TRACE(std::string(file) + " case " + std::to_string(number++) + ": " + op + " " +
                   one.at("attributes").dump());
      try {
        check(one, op);
        ++ran;
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
  EXPECT_GT(ran, 0) << "no case ran in " << parity_folder();
}

/// Every case of the layer files but those of operations that have programs of their own, as
/// normalization.json and convolution.json have.
template <class Check>
void for_each_dense_case(const Check& check) {
  static const std::set<std::string> others{"lstm", "gru", "ctc_loss"};
  for_each_case({"dense.json", "sequence.json"},
                [&](const nlohmann::json& one, const std::string& op) {
                  if (others.count(op) == 0) check(one, op);
                });
}

/// |a - b| <= 1e-9 max|b| over an array.
inline void expect_equals_file(const std::string& what, const Numbers& found,
                               const nlohmann::json& expected) {
  ASSERT_EQ(found.shape, shape_of(expected)) << what;
  const auto data = expected.at("data").get<std::vector<double>>();
  double largest = 0.0;
  for (const double value : data) largest = std::max(largest, std::fabs(value));
  for (std::size_t i = 0; i < data.size(); ++i)
    EXPECT_LE(std::fabs(found.data[i] - data[i]), 1e-9 * largest)
        << what << " element " << i << ": " << found.data[i] << ", PyTorch " << data[i];
}

/// A case's results in double against PyTorch's, and no gradient is left out.
inline void expect_result_equals_file(const DenseResult& found, const nlohmann::json& one) {
  expect_equals_file("output", found.output, one.at("outputs").at("y"));
  EXPECT_EQ(found.gradients.size(), one.at("gradients").size());
  for (const auto& [name, gradient] : found.gradients)
    expect_equals_file("gradient of " + name, gradient, one.at("gradients").at(name));
}

/// Every dense case in double on backend B.
template <class B>
void expect_dense_equals_pytorch() {
  for_each_dense_case([](const nlohmann::json& one, const std::string&) {
    expect_result_equals_file(DenseCase<double, B>(one, rounded_to<double>).run(), one);
  });
}

/// The error of one array of S on B against the same in double, on the same rounded values:
///   |a - b| <= u_store |b| + (terms + 16) u_compute magnitude + kept
/// The first is the rounding at the store; the second that of sums of up to `terms` products and of
/// elementary functions of a few ulp; `kept` what backward loses by computing from a result that
/// was stored in S: the derivatives of tanh, sigmoid and softmax move by at most 3 times its
/// rounding, log-softmax's once for each class. Attention's dS = P (G V^T - rowsum(G Y)) moves by P
/// width |g||v| roundings of Y, of which dK sums one for each query times |q| / sqrt(width). Where
/// weights and slopes are rounded to S for their products, each rounding of P moves Y by |v| and
/// dV, by query, by |g|; one of dS, which is up to 2 P width |g||v|, moves dK as two of Y do.
inline void expect_within_bound(const std::string& what, const Numbers& a, const Numbers& b,
                                const DenseResult& exact, double u_compute, double kept) {
  ASSERT_EQ(a.shape, b.shape) << what;
  const double magnitude = exact.terms * exact.largest_input * exact.largest_input *
                           (what == "output" ? 1.0 : exact.largest_upstream);
  for (std::size_t i = 0; i < b.data.size(); ++i) {
    const double bound = a.unit_roundoff * std::fabs(b.data[i]) +
                         (exact.terms + 16) * u_compute * magnitude + kept +
                         numeric_traits<float16>::min_subnormal * (a.unit_roundoff >= 0x1p-11);
    EXPECT_LE(std::fabs(a.data[i] - b.data[i]), bound)
        << what << " element " << i << ": " << a.data[i] << ", in double " << b.data[i];
  }
}

/// Whether B's attention multiplies numbers of S as they are.
template <class S, class B>
constexpr bool rounds_attention_weights() {
  if constexpr (requires { B::rounds_attention_weights; })
    return B::rounds_attention_weights && numeric_traits<S>::is_16_bit;
  else
    return false;
}

/// Every dense case in storage type S on backend B against the double reference.
template <class S, class B, Dense which>
void expect_dense_parity() {
  for_each_dense_case([](const nlohmann::json& one, const std::string& op) {
    // What neither program compiles belongs to the others, where it fails.
    if (program_of(op) != which) return;
    const DenseResult exact =
        DenseCase<double, backend::Reference, which>(one, rounded_to<S>).run();
    const DenseResult found = DenseCase<S, B, which>(one, rounded_to<S>).run();
    const double u_compute = Machine<B>::template product_roundoff<S>;
    const bool keeps_output = op == "tanh" || op == "sigmoid" || op == "softmax";
    double roundings = op == "log_softmax" ? exact.terms : keeps_output ? 3.0 : 0.0;
    double kept_in_output = 0.0;
    if (op == "attention") {
      const Shape q = shape_of(one.at("inputs").at("q"));
      const auto queries = static_cast<double>(q[-2]);
      roundings = queries * std::sqrt(static_cast<double>(q[-1])) * exact.largest_input *
                  exact.largest_input;
      if (rounds_attention_weights<S, B>()) {
        roundings = 3 * roundings + queries;
        kept_in_output = exact.largest_input * numeric_traits<S>::unit_roundoff;
      }
    }
    const double kept = roundings * numeric_traits<S>::unit_roundoff * exact.largest_upstream;
    expect_within_bound("output", found.output, exact.output, exact, u_compute, kept_in_output);
    for (const auto& [name, gradient] : exact.gradients)
      expect_within_bound("gradient of " + name, found.gradients.at(name), gradient, exact,
                          u_compute, kept);
  });
}

}  // namespace halfstep::test
