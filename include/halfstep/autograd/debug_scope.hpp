#pragma once

#include <halfstep/autograd/non_finite.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What a DebugScope looks at besides results.
struct DebugSettings {
  /// Gradients too. With dynamic loss scaling FP16 gradients overflow now and then as part of the
  /// plan, and the step is skipped: leave them out there.
  bool gradients = true;
};

/// While one lives, the operation of this thread that first makes an inf or a NaN throws, in
/// forward or in backward:
///
///   const DebugScope debug;
///   trainer.step(batch, loss);  // NonFiniteError: the operation 'log' made 'log' [8, 4] float ...
///
/// The error names the operation and the tensor, and says how many of its numbers are not finite
/// and in what range the operation's inputs lay. The model, its trainer and the tokens of its
/// gradients can be used on: the step that was in the middle has changed no weight, and is computed
/// again from its forward pass. A token that the backward pass was adding to in the parameters' own
/// storage type (no FP32 GradientAccumulator beside it) holds what was added until then.
///
/// Every result is read once more, and the device is waited for: not for training at length. A
/// model that means to compute with infinities (a mask of -inf) has them named too.
///
/// @throws NonFiniteError  from operations and from backward
class DebugScope final : private autograd::Observer {
 public:
  explicit DebugScope(const DebugSettings& settings = {}) : settings_(settings), scope_(*this) {}

 private:
  void result(const autograd::OperationResult& result) override {
    refuse(search_.result(result, result.value.count()));
  }
  void gradients(const autograd::OperationGradients& written) override {
    if (!settings_.gradients) return;
    for (const autograd::ObservedTensor& gradient : written.gradients)
      refuse(search_.gradient(written.operation, gradient, gradient.count()));
  }
  void backward_ended() override { search_.forget(); }

  void refuse(const std::optional<autograd::NonFiniteOrigin>& origin) {
    if (!origin) return;
    search_.forget();
    fail<NonFiniteError>("DebugScope: ", *origin,
                         "; where finite inputs overflowed, make them smaller or store the result "
                         "in a type of larger range, and keep log, sqrt and / off 0");
  }

  DebugSettings settings_;
  autograd::NonFiniteSearch search_;
  ObserverScope scope_;
};

}  // namespace halfstep
