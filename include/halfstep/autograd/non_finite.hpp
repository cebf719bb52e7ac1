#pragma once

#include <halfstep/autograd/observer.hpp>

#include <map>
#include <optional>
#include <ostream>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// What is known of a tensor's numbers.
struct ObservedRange {
  std::string name;
  std::string storage;
  Shape shape;
  std::int64_t infinities = 0;
  std::int64_t nans = 0;
  /// Of the finite numbers; turned round where there are none.
  double smallest = 0.0;
  double largest = 0.0;

  ObservedRange(const ObservedTensor& tensor, const ExponentCounts& counts)
      : name(tensor.name()),
        storage(tensor.storage()),
        shape(tensor.shape()),
        infinities(counts.infinities),
        nans(counts.nans),
        smallest(counts.smallest),
        largest(counts.largest) {}

  bool finite() const { return infinities + nans == 0; }

  friend std::ostream& operator<<(std::ostream& out, const ObservedRange& range) {
    out << "'" << range.name << "' " << range.shape << " " << range.storage;
    if (range.smallest <= range.largest)
      out << " in [" << range.smallest << ", " << range.largest << "]";
    if (!range.finite())
      out << " with " << range.infinities << " inf and " << range.nans << " NaN of "
          << range.shape.size();
    return out;
  }
};

/// Where a value that is not finite first stood.
struct NonFiniteOrigin {
  bool in_backward;
  std::string operation;
  ObservedRange tensor;               ///< the result, or the gradient of the tensor of that name
  std::vector<ObservedRange> inputs;  ///< in backward the upstream gradient first

  friend std::ostream& operator<<(std::ostream& out, const NonFiniteOrigin& origin) {
    if (origin.in_backward)
      out << "the backward of '" << origin.operation << "' made the gradient of " << origin.tensor
          << "; it had";
    else
      out << "the operation '" << origin.operation << "' made " << origin.tensor << "; it had";
    const char* separator = origin.in_backward ? " the upstream gradient of " : " ";
    for (const ObservedRange& input : origin.inputs) {
      out << separator << input;
      separator = ", ";
    }
    return origin.inputs.empty() ? out << " no input that is known" : out;
  }
};

/// Looks for the first value that is not finite, and remembers the ranges of a step's tensors to
/// say what it was made from. An observer tells it all that it sees, in order.
class NonFiniteSearch {
 public:
  /// @param counts  of the result
  /// @return  where it stands, if it is not finite
  std::optional<NonFiniteOrigin> result(const OperationResult& result,
                                        const ExponentCounts& counts) {
    const ObservedTensor& value = result.value;
    if (!counts.finite()) {
      NonFiniteOrigin origin{false, value.name(), {value, counts}, {}};
      for (const ObservedTensor& input : result.inputs)
        origin.inputs.emplace_back(input, input.count());
      return origin;
    }
    if (!result.recorded) return std::nullopt;
    values_.insert_or_assign(value.name(), ObservedRange(value, counts));
    std::vector<Input>& inputs = inputs_[value.name()];
    inputs.clear();
    for (const ObservedTensor& input : result.inputs) {
      // A parameter can be read when it is asked for, another tensor may be gone by then.
      const bool gone = input.role() == TensorRole::constant || input.role() == TensorRole::leaf;
      inputs.push_back(
          {input, gone ? std::optional(ObservedRange(input, input.count())) : std::nullopt});
    }
    return std::nullopt;
  }

  /// @param counts  of one of the gradients that the operation's backward wrote
  /// @return  where it stands, if it is not finite
  std::optional<NonFiniteOrigin> gradient(std::string_view operation,
                                          const ObservedTensor& gradient,
                                          const ExponentCounts& counts) {
    if (counts.finite()) {
      gradients_.insert_or_assign(gradient.name(), ObservedRange(gradient, counts));
      return std::nullopt;
    }
    NonFiniteOrigin origin{true, std::string(operation), {gradient, counts}, {}};
    if (const auto upstream = gradients_.find(origin.operation); upstream != gradients_.end())
      origin.inputs.push_back(upstream->second);
    for (const Input& input : inputs_[origin.operation]) {
      const auto value = values_.find(input.tensor.name());
      if (input.range)
        origin.inputs.push_back(*input.range);
      else if (input.tensor.role() == TensorRole::parameter)
        origin.inputs.emplace_back(input.tensor, input.tensor.count());
      else if (value != values_.end())
        origin.inputs.push_back(value->second);
    }
    return origin;
  }

  /// The step is over.
  void forget() {
    values_.clear();
    gradients_.clear();
    inputs_.clear();
  }

 private:
  struct Input {
    ObservedTensor tensor;
    std::optional<ObservedRange> range;
  };

  std::map<std::string, ObservedRange> values_;
  std::map<std::string, ObservedRange> gradients_;
  std::map<std::string, std::vector<Input>> inputs_;  ///< by operation
};

}  // namespace halfstep
