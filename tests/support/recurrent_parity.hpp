#pragma once

#include <halfstep/autograd/recurrent.hpp>

#include "support/dense_parity.hpp"

namespace halfstep::test {

/// What a recurrent layer made of a case.
struct RecurrentResult {
  std::map<std::string, Numbers> arrays;  ///< "y", and the inputs' gradients by their names
};

/// Runs one case of an LSTM or a GRU in storage type S on backend B; every array passes `round`.
template <class S, class B>
RecurrentResult run_recurrent(const nlohmann::json& one, double (*round)(double)) {
  const auto tensor = [&](const nlohmann::json& array) {
    Tensor<S> values(shape_of(array));
    const auto data = array.at("data").get<std::vector<double>>();
    for (std::size_t i = 0; i < data.size(); ++i)
      values.data()[i] = storage_cast<S>(round(data[i]));
    return on_device<B>(values);
  };
  std::map<std::string, Variable<S, B>> leaves;
  const auto leaf = [&](const char* name) {
    return leaves[name] = Variable<S, B>::leaf(tensor(one.at("inputs").at(name)));
  };
  expect_only(one.at("attributes"), {"hidden", "gate_order"});
  const Variable<S, B> x = leaf("x"), w = leaf("w_ih"), v = leaf("w_hh"), b = leaf("b_ih"),
                       c = leaf("b_hh");
  const Variable<S, B> y = one.at("op") == "lstm" ? lstm(x, w, v, b, c) : gru(x, w, v, b, c);
  autograd::propagate(y, tensor(one.at("upstream").at("y")));
  RecurrentResult result;
  result.arrays["y"] = numbers_of<B>(y.value());
  for (const auto& [name, variable] : leaves)
    result.arrays[name] = numbers_of<B>(variable.gradient());
  return result;
}

/// Calls check(case) for each case of a recurrent layer; there must be both kinds.
template <class Check>
void for_each_recurrent_case(const Check& check) {
  std::set<std::string> seen;
  for_each_case({"sequence.json"}, [&](const nlohmann::json& one, const std::string& op) {
    if (op != "lstm" && op != "gru") return;
    seen.insert(op);
    check(one);
  });
  EXPECT_EQ(seen, (std::set<std::string>{"lstm", "gru"}));
}

inline double norm(const std::vector<double>& values) {
  double square = 0.0;
  for (const double value : values) square += value * value;
  return std::sqrt(square);
}

/// Every case of a recurrent layer in double on backend B.
template <class B>
void expect_recurrent_equals_pytorch() {
  for_each_recurrent_case([](const nlohmann::json& one) {
    const RecurrentResult found = run_recurrent<double, B>(one, rounded_to<double>);
    for (const auto& [name, array] : found.arrays)
      expect_equals_file(name, array,
                         name == "y" ? one.at("outputs").at("y") : one.at("gradients").at(name));
  });
}

/// Every case in storage type S on backend B against the double reference on the same rounded
/// values, by norm. A step rounds eight numbers to S for each hidden element (its output, five that
/// it saves, its sums' gradients and what comes through the products), each of which reaches later
/// steps through the hidden weight; sums of n products add n roundings of the compute type.
template <class S, class B>
void expect_recurrent_parity() {
  for_each_recurrent_case([](const nlohmann::json& one) {
    const RecurrentResult exact = run_recurrent<double, backend::Reference>(one, rounded_to<S>);
    const RecurrentResult found = run_recurrent<S, B>(one, rounded_to<S>);
    const double weight = norm(one.at("inputs").at("w_hh").at("data").get<std::vector<double>>());
    const auto steps = one.at("inputs").at("x").at("shape").at(1).get<double>();
    const double terms = static_cast<double>(exact.arrays.at("w_ih").data.size());
    const double u = Machine<B>::template product_roundoff<S>;
    const double relative =
        std::max(1.0, weight) * (8.0 * steps * numeric_traits<S>::unit_roundoff + terms * u);
    for (const auto& [name, array] : exact.arrays) {
      const std::vector<double>& got = found.arrays.at(name).data;
      ASSERT_EQ(got.size(), array.data.size()) << name;
      std::vector<double> difference(got.size());
      for (std::size_t i = 0; i < got.size(); ++i) difference[i] = got[i] - array.data[i];
      EXPECT_LE(norm(difference), relative * norm(array.data)) << name;
    }
  });
}

}  // namespace halfstep::test
