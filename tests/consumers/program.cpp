// The program that every consumer project builds and runs: it trains a small network, saves it, and
// predicts with what it loaded.
#include <halfstep/halfstep.hpp>

#include <iostream>
#include <vector>

namespace hs = halfstep;

using Setup = hs::Setup<hs::MixedFp16>;

struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 2, 16};
  hs::nn::Linear<Setup> out{*this, "out", 16, 2};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

int main() {
  // Which of two numbers is the larger?
  std::vector<float> points;
  std::vector<int> labels;
  for (int i = 0; i < 512; ++i) {
    const auto a = static_cast<float>(i * 37 % 101) / 101.0f;
    const auto b = static_cast<float>(i * 53 % 97) / 97.0f;
    points.insert(points.end(), {a, b});
    labels.push_back(a > b ? 1 : 0);
  }
  const auto set = hs::data::from_memory(points, hs::Shape{512, 2}, labels);

  Classifier model;
  hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 1e-2});
  for (int epoch = 0; epoch < 20; ++epoch)
    for (const auto& batch : hs::data::Loader<Setup>(set, {.batch_size = 32, .seed = 1}))
      trainer.step(batch, [](auto& network, const auto& rows) {
        return hs::cross_entropy(network(rows.x), rows.y);
      });
  hs::io::save(model, "consumer.safetensors");
  const double accuracy = hs::accuracy(model, set);
  std::cout << "accuracy " << accuracy << "\n";
  return accuracy > 0.9 ? 0 : 1;
}
