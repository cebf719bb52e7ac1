// Every layer, both kinds of rules and CTC, for a GPU: that they compile is what it shows.
#include <halfstep/cuda.hpp>

namespace hs = halfstep;

constexpr auto channels_last = hs::ImageLayout::channels_last;

template <class Setup>
struct Net : hs::nn::Module<Setup> {
  hs::nn::Conv2d<Setup> conv{*this, "conv", 1, 8, 3, {.layout = channels_last}};
  hs::nn::BatchNorm<Setup> batch_norm{*this, "batch_norm", 8, {.layout = channels_last}};
  hs::nn::MaxPool2d pool{2, {.layout = channels_last}};
  hs::nn::LayerNorm<Setup> layer_norm{*this, "layer_norm", 8};
  hs::nn::MultiHeadAttention<Setup> attention{*this, "attention", 8, 2};
  hs::nn::FeedForward<Setup> relu_mlp{
      *this, "relu_mlp", 8, 32, {.activation = hs::HiddenActivation::relu}};
  hs::nn::FeedForward<Setup> mlp{*this, "mlp", 8, 32};
  hs::nn::LSTM<Setup> lstm{*this, "lstm", 8, 16};
  hs::nn::GRU<Setup> gru{*this, "gru", 16, 16};
  hs::nn::Dropout<Setup> dropout{*this, "dropout", 0.1};
  hs::nn::Linear<Setup> out{*this, "out", 16, 10};

  auto operator()(const hs::nn::Input<Setup>& x) const {
    const auto images = hs::reshape(x, {-1, 28, 28, 1});
    auto h = pool(hs::relu(batch_norm(conv(images))));
    h = layer_norm(hs::reshape(h, {h.shape()[0], -1, 8}));
    h = h + attention(h);
    h = h + mlp(relu_mlp(h));
    return out(hs::gelu(dropout(gru(lstm(h)))));
  }
};

template <class Policy, class Rule>
void train(const Rule& rule) {
  using Setup = hs::Setup<Policy, hs::backend::Cublas>;
  using Integers = hs::TensorOf<std::int32_t, hs::backend::Cublas>;
  struct Batch {
    hs::nn::Input<Setup> x;
    Integers label, target, steps, length;
  };
  Net<Setup> net;
  hs::Trainer trainer(net, rule, {.clip_norm = 1.0});
  trainer.step(Batch{}, [](const auto& model, const auto& batch) {
    const auto y = model(batch.x);
    return hs::cross_entropy(hs::mean(y, 1), batch.label) +
           hs::ctc_loss(y, batch.target, batch.steps, batch.length);
  });
}

int main() {
  train<hs::MixedFp16>(hs::optim::AdamW{});
  train<hs::Fp32>(hs::optim::LAMB{});
}
