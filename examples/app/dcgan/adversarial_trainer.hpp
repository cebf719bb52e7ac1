#pragma once

#include <app/dcgan/models.hpp>

#include <cstdint>
#include <tuple>
#include <utility>

namespace app {

/// A model, and the optimizer that moves it.
template <class Model>
class Player {
 public:
  using Setup = typename Model::Setup;
  using Rule = halfstep::optim::Adam;

  Player(Model& model, const Rule& rule)
      : model_(&model), optimizer_(halfstep::default_optimizer<Setup>(model.parameters(), rule)) {}

  Model& model() { return *model_; }
  const auto& optimizer() const { return optimizer_; }
  auto& optimizer() { return optimizer_; }
  halfstep::Parameters<Setup> parameters() const { return model_->parameters(); }
  std::int64_t skipped_steps() const {
    return optimizer_.attempted_steps() - optimizer_.applied_steps();
  }

 private:
  Model* model_;
  halfstep::Optimizer<halfstep::optim::DefaultWrapper<Setup, Rule>, Setup> optimizer_;
};

/// Trains a generator and a discriminator against each other, one step of each a round (Goodfellow
/// et al., arXiv 1406.2661, algorithm 1): D lowers BCE(D(x), 0.9) + BCE(D(G(z)), 0), whose label
/// for real images is smoothed on that side alone (Salimans et al., arXiv 1606.03498, section 3.4),
/// and G lowers BCE(D(G(z)), 1), the loss that does not saturate.
///
/// One loss scaler serves both; each skips alone.
template <class Setup_>
class AdversarialTrainer {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Images = halfstep::nn::Input<Setup>;
  using Report = halfstep::StepReport<Backend>;

  /// What a round's two steps did.
  struct Round {
    Report of_discriminator;
    Report of_generator;
  };

  AdversarialTrainer(Generator<Setup>& generator, Discriminator<Setup>& discriminator,
                     const halfstep::optim::Adam& rule, const typename Setup::LossScaling& scaling)
      : generator_(generator, rule),
        discriminator_(discriminator, rule),
        scaler_(generator, scaling) {}

  /// @param real    [batch, 28, 28, 1] within [-1, 1]
  /// @param latent  [batch, numbers]
  /// @param built   is called when both models' forward passes are kept for backward
  /// @throws halfstep::NonFiniteError  too many rounds in a row were skipped
  template <class Built>
  Round round(const Images& real, const Images& latent, const Built& built) {
    const auto& judge = discriminator_.model();
    const Images fake = generator_.model()(latent);
    // As a constant: nothing that D learns reaches G.
    const auto loss = bce(judge(real), 0.9f) + bce(judge(halfstep::detach(fake)), 0.0f);
    built();
    Round round;
    round.of_discriminator =
        scaler_.step(discriminator_.optimizer(),
                     halfstep::backward(scaler_.scale(loss), discriminator_.parameters()));

    // The gradients reach G through D; those of D are let go.
    auto gradients = halfstep::backward(scaler_.scale(bce(judge(fake), 1.0f)),
                                        generator_.parameters(), discriminator_.parameters());
    round.of_generator = scaler_.step(generator_.optimizer(), std::get<0>(std::move(gradients)));
    scaler_.update();
    watch_.look(scaler_, round.of_generator, generator_.parameters(), discriminator_.parameters());
    return round;
  }

  Player<Generator<Setup>>& generator() { return generator_; }
  Player<Discriminator<Setup>>& discriminator() { return discriminator_; }
  /// Skipped steps of both. Waits for them.
  std::int64_t skipped_steps() const {
    return generator_.skipped_steps() + discriminator_.skipped_steps();
  }
  double loss_scale() const { return scaler_.current_scale(); }

 private:
  static auto bce(const Images& logits, float target) {
    const std::vector<float> numbers(static_cast<std::size_t>(logits.size()), target);
    halfstep::TensorOf<float, Backend> targets(logits.shape());
    Backend::upload(std::span<const float>(numbers), targets.data());
    return halfstep::bce_with_logits(logits, targets);
  }

  Player<Generator<Setup>> generator_;
  Player<Discriminator<Setup>> discriminator_;
  halfstep::LossScaler<typename Setup::LossScaling, Setup> scaler_;
  halfstep::SkipWatch watch_;
};

}  // namespace app
