#pragma once

#include <halfstep/autograd/parameters.hpp>
#include <halfstep/optim/rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// The group of parameters that weight decay leaves alone.
inline constexpr int undecayed_group = 63;

/// Puts parameters of fewer than two axes (biases, the gains of norms) that no group has yet in a
/// group of their own, before an optimizer takes the model.
template <class Setup>
void separate_vectors(const Parameters<Setup>& parameters, int group = undecayed_group) {
  auto& store = *parameters.store();
  for (std::size_t i = 0; i < store.count(); ++i) {
    const ParameterInfo& info = store.info(i);
    if (info.group == 0 && info.shape.rank() < 2) store.arrange(i, group, info.frozen);
  }
}

/// The same rule without its weight decay.
/// @throws UsageError  the rule has none
template <Rule R>
R without_decay(R rule) {
  if constexpr (requires { rule.weight_decay; })
    rule.weight_decay = 0.0;
  else
    fail<UsageError>("this rule has no weight_decay that parameters could be spared");
  return rule;
}

}  // namespace halfstep
