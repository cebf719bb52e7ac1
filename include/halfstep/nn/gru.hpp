#pragma once

#include <halfstep/nn/recurrent.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// The cell of nn::GRU.
struct Gru {
  static constexpr const char* layer_name = "GRU";
  using Formula = formulas::GruCell;
  template <class Compute, class... Arguments>
  static auto run(const Arguments&... arguments) {
    return gru<Compute>(arguments...);
  }
};

/// Layers of gated recurrent units over x [batch, time, in], from a state of 0; see gru.
///
///   nn::GRU<Setup> encoder{*this, "encoder", 80, 256, {.layers = 2, .bidirectional = true}};
///   auto y = encoder(x, lengths);  // [batch, time, 512]
template <class Setup>
using GRU = Recurrent<Setup, Gru>;

}  // namespace halfstep
