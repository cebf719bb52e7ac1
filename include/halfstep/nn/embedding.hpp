#pragma once

#include <halfstep/autograd/gather.hpp>
#include <halfstep/nn/edge.hpp>
#include <halfstep/nn/initialise.hpp>
#include <halfstep/nn/module.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What an Embedding may have otherwise.
struct EmbeddingSettings {
  /// An entry that gets no gradient: what stands for nothing at the end of a short sequence.
  std::optional<Index> padding = std::nullopt;
  Initialiser initialiser = nullptr;
};

/// y[i...] = weight[tokens[i...]], with weight [vocabulary, width].
///
/// Weights start normal with deviation 1, as PyTorch's do; settings choose otherwise.
template <class Setup>
class Embedding : public Module<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = EmbeddingSettings;

  /// @throws ShapeError  an extent is below 1
  Embedding(const ModuleBase<B>& parent, std::string_view name, Index vocabulary, Index width,
            const Settings& settings = {})
      : Module<Setup>(parent, name),
        vocabulary_(vocabulary),
        padding_(settings.padding),
        weight_(*this, "weight", checked(name, vocabulary, width),
                settings.initialiser ? settings.initialiser : normal(1.0)) {}

  /// @param tokens  [...]
  /// @return  [..., width]
  /// @throws DataError  a token is not in the vocabulary; only where the host can see it
  Input<Setup> operator()(const TensorOf<std::int32_t, B>& tokens) const {
    const NameScope named(this->path());
    if constexpr (B::DeviceType::host_accessible) {
      for (const std::int32_t token : tokens.span())
        if (token < 0 || token >= vocabulary_)
          fail<DataError>("Embedding '", this->path(), "': the token ", token,
                          " is not in the vocabulary of ", vocabulary_, ", 0 to ", vocabulary_ - 1,
                          "; build the layer for the largest token");
    }
    return as_activation<typename Setup::Activation>(embedding(weight_(), tokens, padding_));
  }

  Variable<typename Setup::Parameter, B> weight() const { return weight_(); }
  Index vocabulary() const { return vocabulary_; }

 private:
  static Shape checked(std::string_view name, Index vocabulary, Index width) {
    if (vocabulary < 1 || width < 1)
      fail<ShapeError>("Embedding '", name, "': a vocabulary of ", vocabulary, " and a width of ",
                       width, "; both must be at least 1");
    return {vocabulary, width};
  }

  Index vocabulary_;
  std::optional<Index> padding_;
  typename Module<Setup>::ParameterType weight_;
};

}  // namespace halfstep
