// Parts of one's own: a data set from vectors, a layer, a loss and an update rule, each a few
// lines, in the precision that the Setup says. What is learned is a surface, z = sin(3 x) cos(2 y),
// from points of which one in ten was measured wrongly.

#include <halfstep/halfstep.hpp>

#include <array>
#include <cmath>
#include <iostream>
#include <utility>
#include <vector>

namespace hs = halfstep;

using Setup = hs::Setup<hs::MixedBf16>;

// Any type with size() and get(i) is a data set; here a sample is a pair of features and answer.
struct Surface {
  std::vector<std::array<float, 2>> points;
  std::vector<float> heights;

  Surface(int count, bool with_outliers, std::uint64_t seed) {
    hs::RandomStream random(seed);
    for (int i = 0; i < count; ++i) {
      const float x = 2.0f * random.uniform() - 1.0f;
      const float y = 2.0f * random.uniform() - 1.0f;
      const bool wrong = with_outliers && random.below(10) == 0;
      points.push_back({x, y});
      heights.push_back(wrong ? 10.0f : std::sin(3.0f * x) * std::cos(2.0f * y));
    }
  }
  hs::Index size() const { return static_cast<hs::Index>(points.size()); }
  std::pair<std::array<float, 2>, float> get(hs::Index i) const {
    const auto at = static_cast<std::size_t>(i);
    return {points[at], heights[at]};
  }
};

// A layer is a module with a call operator: y = x + scale W tanh(x), with a parameter of its own.
struct Residual : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> linear;
  ParameterType scale;

  Residual(const Base& parent, std::string_view name, hs::Index width)
      : hs::nn::Module<Setup>(parent, name),
        linear(*this, "linear", width, width),
        scale(*this, "scale", {width}, hs::nn::constant(1.0f)) {}
  auto operator()(const hs::nn::Input<Setup>& x) const { return x + scale() * linear(hs::tanh(x)); }
};

struct Model : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> in{*this, "in", 2, 64};
  Residual first{*this, "first", 64};
  Residual second{*this, "second", 64};
  hs::nn::Linear<Setup> out{*this, "out", 64, 1};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(second(first(in(x)))); }
};

// A loss: forward, and the gradient that backward hands on. Huber's loss is quadratic near 0 and
// linear beyond, so that a wrong point pulls no harder than a near one; FP32, as losses are.
template <class Prediction, class Target>
auto huber_loss(const Prediction& prediction, const Target& target, double width) {
  using Value = hs::Variable<float, Setup::Backend>;
  const Value wanted(target);
  const auto forward = [=](const Value& x) {
    const Value pull = hs::clamp(x - wanted, -width, width);
    return hs::mean(pull * ((x - wanted) - pull * 0.5));
  };
  const auto backward = [=](const Value& upstream, const Value& x) {
    return hs::clamp(x - wanted, -width, width) * (upstream / static_cast<double>(x.size()));
  };
  return hs::custom("huber_loss", forward, backward, hs::cast<float>(prediction));
}

// An update rule knows nothing of precision; the policy's masters are kept around it. This is
// Signum (Bernstein et al., arXiv 1802.04434): steps of one length, along the averaged sign.
struct Signum {
  double learning_rate = 1e-3;
  double momentum = 0.9;

  static constexpr int moments = 1;
  struct Coefficients {
    double rate, momentum;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t, double rate) const { return {rate, momentum}; }
  template <class N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& gradient,
                                                          N& weight, N& average) {
    const N keep = hs::optim::constant<N>(c.momentum);
    const N rate = hs::optim::constant<N>(c.rate);
    average = keep * average + (N(1.0f) - keep) * gradient;
    weight = weight - select(average > N(0.0f), rate, N(0.0f) - rate);
  }
};

int main() {
  const Surface train(8192, true, 1);
  const Surface test(1024, false, 2);
  Model model;
  model.initialise(1);
  hs::Trainer trainer(model, Signum{.learning_rate = 1e-3});
  hs::data::Loader<Setup, hs::data::Targets> loader(train, {.batch_size = 128, .seed = 1});
  for (int epoch = 0; epoch < 10; ++epoch)
    for (const auto& batch : loader)
      trainer.step(batch, [](const auto& model, const auto& batch) {
        return huber_loss(model(batch.x), batch.y, 0.1);
      });
  const double error = hs::evaluate(model, test, [](const auto& model, const auto& batch) {
    return hs::mse_loss(model(batch.x), batch.y);
  });
  std::cout << "root mean square error " << std::sqrt(error) << "\n";
}
