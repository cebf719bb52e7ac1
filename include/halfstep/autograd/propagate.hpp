#pragma once

#include <halfstep/autograd/variable.hpp>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// Takes `upstream`, the gradient of something with respect to `result`, back to the leaves that
/// `result` was computed from; theirs is then in `leaf.gradient()`. `backward` does this for a
/// model's loss.
///
/// @throws UsageError  `result` depends on no leaf, or backward has run through it
/// @throws ShapeError  the shapes differ
template <class S, class B>
void propagate(const Variable<S, B>& result, const TensorOf<S, B>& upstream) {
  if (!result.wants_gradient())
    fail<UsageError>("propagate: the result depends on no variable that wants a gradient");
  if (result.slot()->used_up())
    fail<UsageError>("propagate: backward has run through this result; compute it again");
  if (result.shape() != upstream.shape())
    fail<ShapeError>("propagate: the upstream ", upstream.shape(),
                     " is not shaped like the result ", result.shape());
  result.slot()->give(upstream);
  Backward::run(Handle<Node>(result.slot().get()));
}

}  // namespace halfstep
