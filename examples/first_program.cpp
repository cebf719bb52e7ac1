#include <halfstep/halfstep.hpp>

#include <iostream>

namespace hs = halfstep;

using Setup = hs::Setup<hs::MixedBf16>;  // a precision policy on a backend

struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Setup> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

int main() {
  auto [train, test] = hs::data::mnist("examples/data/mnist");
  Classifier model;
  hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 1e-3});
  for (const auto& batch : hs::data::Loader<Setup>(train, {.batch_size = 128, .seed = 1}))
    trainer.step(batch, [](auto& model, const auto& batch) {
      return hs::cross_entropy(model(batch.x), batch.y);
    });
  std::cout << "test accuracy " << hs::accuracy(model, test) << "\n";
  hs::io::save(model, "classifier.safetensors");
}
