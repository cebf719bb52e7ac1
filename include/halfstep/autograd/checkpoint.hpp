#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/autograd/recomputation.hpp>

#include <array>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// What is recomputed is recorded, whatever scope backward runs in.
class RecordingScope {
 public:
  RecordingScope() : before_(std::exchange(recording(), true)) {}
  ~RecordingScope() { recording() = before_; }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;

 private:
  bool before_;
};

/// An input as the recomputation takes it: a leaf where its gradient is wanted.
template <class S, class B>
Variable<S, B> recomputed_input(const TensorOf<S, B>& value, const Slot<S, B>* slot) {
  return slot == nullptr ? Variable<S, B>(value) : Variable<S, B>::leaf(value);
}
template <class S, class B>
void give_recomputed(const Variable<S, B>& input, Slot<S, B>* slot) {
  if (slot != nullptr && !input.gradient().empty()) slot->give(input.gradient());
}

}  // namespace autograd

/// f(x...), of which backward keeps the inputs alone and computes the rest again: memory for a
/// second forward pass. (Chen et al., "Training Deep Nets with Sublinear Memory Cost",
/// arXiv 1604.06174)
///
///   h = checkpoint([&](const auto& h) { return block(h); }, h);
///
/// The second run draws the random numbers of the first (dropout's masks), and statistics see the
/// batch once; gradients have the bits that they have without it.
///
/// @param f  takes the inputs as variables and returns one; kept until backward. Parameters may be
///           captured, other variables that want a gradient must be among the inputs
/// @throws UsageError  f captured one that is not (when backward runs)
template <class F, class B, class... S>
auto checkpoint(const F& f, const Variable<S, B>&... x) {
  static_assert(sizeof...(S) > 0, "halfstep: checkpoint needs an input to compute again from");
  autograd::require_elements("checkpoint", x...);
  static_cast<void>(autograd::recorded("checkpoint", x...));
  using Result = decltype(f(x...));
  static_assert(is_variable<Result>, "halfstep: what runs in a checkpoint returns one variable");
  using T = typename StoredIn<Result>::type;
  using autograd::RecomputationScope;
  if (!autograd::recording()) return f(x...);
  autograd::DrawLog draws;
  const Result result = [&] {
    const no_gradient pause;
    const RecomputationScope scope(draws, RecomputationScope::Mode::note);
    return f(Variable<S, B>(x.value())...);
  }();
  // f's parameters may want gradients where no input does: it is always recorded.
  return autograd::record<B, T>(
      "checkpoint", result.value(),
      [f, draws = std::move(draws), values = std::make_tuple(x.value()...)](
          const TensorOf<T, B>& g, autograd::Slot<S, B>*... slots) mutable {
        std::apply(
            [&](const TensorOf<S, B>&... value) {
              const autograd::RecordingScope on;
              const RecomputationScope scope(draws, RecomputationScope::Mode::repeat);
              const auto inputs =
                  std::make_tuple(autograd::recomputed_input<S, B>(value, slots)...);
              const std::uint64_t first = autograd::Node::next_sequence();
              const Result again = std::apply(f, inputs);
              if (!again.wants_gradient()) return;
              again.slot()->give(g);
              autograd::Backward::run_since(first,
                                            autograd::Handle<autograd::Node>(again.slot().get()));
              std::apply(
                  [&](const auto&... input) {
                    (autograd::give_recomputed<S, B>(input, slots), ...);
                  },
                  inputs);
            },
            values);
      },
      x...);
}

}  // namespace halfstep
