#pragma once

#include <app/names.hpp>

#include <halfstep/halfstep.hpp>

#include <type_traits>

namespace app {

/// 784-512-512-10 with ReLU: images as rows of pixels.
template <class Setup>
struct Mlp : halfstep::nn::Module<Setup> {
  halfstep::nn::Linear<Setup> first{*this, "first", 784, 512};
  halfstep::nn::Linear<Setup> second{*this, "second", 512, 512};
  halfstep::nn::Linear<Setup> out{*this, "out", 512, 10};

  auto operator()(const halfstep::nn::Input<Setup>& x) const {
    return out(halfstep::relu(second(halfstep::relu(first(x)))));
  }
};

/// Calls f(std::type_identity<Model>) with the classifier of that name.
template <class Setup, class F>
void with_classifier(const std::string& name, const F& f) {
  require_classifier(name);
  f(std::type_identity<Mlp<Setup>>{});
}

}  // namespace app
