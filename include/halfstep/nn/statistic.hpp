#pragma once

#include <halfstep/nn/module.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// Numbers that a layer gathers in training and that no gradient moves, in FP32 whatever the
/// policy: a running mean. Saved with the model; a skipped step leaves it bit-identical.
template <class Backend>
class Statistic {
 public:
  Statistic(const ModuleBase<Backend>& owner, std::string_view name, const Shape& shape,
            float start)
      : store_(owner.store()), index_(store_->add_statistic(owner.name_of(name), shape, start)) {}

  /// What was committed by the steps so far.
  const TensorOf<float, Backend>& operator()() const { return store_->statistics().value(index_); }
  /// value = (1 - momentum) value + momentum now, once the step that is being computed is applied.
  /// @throws ShapeError  `now` has another shape
  void observe(const TensorOf<float, Backend>& now, double momentum) const {
    store_->statistics().observe(index_, now, momentum);
  }

 private:
  std::shared_ptr<ParameterStore<Backend>> store_;
  std::size_t index_;
};

}  // namespace halfstep
