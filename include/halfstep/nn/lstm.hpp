#pragma once

#include <halfstep/nn/recurrent.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// The cell of nn::LSTM.
struct Lstm {
  static constexpr const char* layer_name = "LSTM";
  using Formula = formulas::LstmCell;
  template <class Compute, class... Arguments>
  static auto run(const Arguments&... arguments) {
    return lstm<Compute>(arguments...);
  }
};

/// Layers of long short-term memory over x [batch, time, in], from a state of 0; see lstm.
///
///   nn::LSTM<Setup> encoder{*this, "encoder", 80, 256, {.layers = 2, .bidirectional = true}};
///   auto y = encoder(x, lengths);  // [batch, time, 512]
template <class Setup>
using LSTM = Recurrent<Setup, Lstm>;

}  // namespace halfstep
