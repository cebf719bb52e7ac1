#pragma once

#include <halfstep/autograd/observer.hpp>

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

/// The largest |gradient| that flows while it observes: of activations and of parameters, as they
/// are stored, times the loss scale where they carry one.
///
///   LargestGradient largest;
///   {
///     const ObserverScope scope(largest);
///     auto gradients = backward(loss, model.parameters());
///   }
///   largest.value();
class LargestGradient final : public autograd::Observer {
 public:
  /// Of the finite ones; 0 where none flowed.
  double value() const { return value_; }
  /// Whether all gradients were finite.
  bool finite() const { return finite_; }

  void gradients(const autograd::OperationGradients& written) override {
    for (const autograd::ObservedTensor& gradient : written.gradients) {
      const ExponentCounts counts = gradient.count();
      value_ = std::max({value_, counts.largest, -counts.smallest});
      finite_ = finite_ && counts.finite();
    }
  }

 private:
  double value_ = 0.0;
  bool finite_ = true;
};

}  // namespace halfstep
