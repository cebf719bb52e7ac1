// README's first program on a GPU. Where there is none it says so and exits with 1.
#include <halfstep/cuda.hpp>

#include <iostream>

namespace hs = halfstep;

using Setup = hs::Setup<hs::MixedBf16, hs::backend::Cublas>;

struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Setup> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

int main() {
  try {
    auto [train, test] = hs::data::mnist("examples/data/mnist");
    Classifier model;
    hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 1e-3});
    for (const auto& batch : hs::data::Loader<Setup>(train, {.batch_size = 128, .seed = 1}))
      trainer.step(batch, [](auto& model, const auto& batch) {
        return hs::cross_entropy(model(batch.x), batch.y);
      });
    const double accuracy = hs::accuracy(model, test);
    std::cout << "test accuracy " << accuracy << "\n";
    return accuracy > 0.85 ? 0 : 3;
  } catch (const hs::BackendError& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
