#pragma once

#include <halfstep/autograd/feed_forward.hpp>
#include <halfstep/nn/linear.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a FeedForward may have otherwise.
struct FeedForwardSettings {
  HiddenActivation activation = HiddenActivation::gelu_tanh;
  LinearSettings in{};
  LinearSettings out{};
};

/// out(activation(in(x))) of two layers, as one operation; see autograd/feed_forward.hpp.
template <class Setup, class S>
auto feed_forward(const Variable<S, typename Setup::Backend>& x, const Linear<Setup>& in,
                  const Linear<Setup>& out, HiddenActivation activation) {
  return through_edge<Setup>(x, [&](const Input<Setup>& input) {
    using T = typename Setup::Activation;
    return halfstep::feed_forward<typename Setup::Compute>(
        input, as_activation<T>(in.weight()), as_activation<T>(in.bias()),
        as_activation<T>(out.weight()), as_activation<T>(out.bias()), activation);
  });
}

/// y = activation(x W^T + b) V^T + c, what each position of a transformer runs through after its
/// attention (Vaswani et al., arXiv 1706.03762, section 3.3).
///
/// Its parameters are those of two nn::Linear named "in" and "out", in that order: they start and
/// are saved alike.
/// @numerics  see feed_forward
template <class Setup>
class FeedForward : public Module<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = FeedForwardSettings;

  /// @param width   of x and y
  /// @param hidden  between the two products
  /// @throws ShapeError  an extent is below 1
  FeedForward(const ModuleBase<B>& parent, std::string_view name, Index width, Index hidden,
              const Settings& settings = {})
      : Module<Setup>(parent, name),
        activation_(settings.activation),
        in_(*this, "in", width, hidden, settings.in),
        out_(*this, "out", hidden, width, settings.out) {}

  /// @param x  [..., width]
  /// @return  as x
  /// @throws ShapeError  the last extent of x is not the width
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    const NameScope named(this->path());
    return feed_forward(x, in_, out_, activation_);
  }

 private:
  HiddenActivation activation_;
  Linear<Setup> in_;
  Linear<Setup> out_;
};

}  // namespace halfstep
