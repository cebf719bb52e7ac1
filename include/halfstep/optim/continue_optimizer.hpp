#pragma once

#include <halfstep/optim/optimizer.hpp>

#include <map>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Lets an optimizer go on where another one of the same rule was under another Setup: settings of
/// all groups, schedule, counters and moments, by name. Its model has gone on before
/// (autograd::continue_from).
///
/// @throws UsageError  the old optimizer keeps other moments; nothing was changed
/// @numerics  moments are moved to the bit where the Setups' Moment types are equal, else converted
template <class Wrapper, class Setup, class OldWrapper, class OldSetup>
void continue_optimizer(Optimizer<Wrapper, Setup>& next, Optimizer<OldWrapper, OldSetup>& old) {
  using B = typename Setup::Backend;
  static_assert(std::same_as<typename OldSetup::Backend, B>,
                "halfstep: training goes on in another precision on the same backend");
  static_assert(std::same_as<typename Optimizer<OldWrapper, OldSetup>::Rule,
                             typename Optimizer<Wrapper, Setup>::Rule>,
                "halfstep: training goes on with the rule that it began with");
  using OldMoment = typename OldSetup::Moment;
  std::map<std::string, TensorOf<OldMoment, B>> moments;
  std::map<std::string, TensorOf<std::int64_t, B>> counters;
  old.visit_state([&]<class T, class D>(const std::string& name, const Tensor<T, D>& tensor) {
    if constexpr (std::same_as<T, OldMoment>)
      moments.emplace(name, tensor);
    else
      counters.emplace(name, tensor);
  });
  next.visit_state([&]<class T, class D>(const std::string& name, const Tensor<T, D>& tensor) {
    if constexpr (std::same_as<T, std::int64_t>) return;
    const auto found = moments.find(name);
    if (found == moments.end() || found->second.size() != tensor.size())
      fail<UsageError>("continue_as: the old optimizer does not keep '", name,
                       "' in this size; both must have the same rule and groups");
  });
  next.set_rules(old.rules());
  next.visit_state([&]<class T, class D>(const std::string& name, Tensor<T, D>& tensor) {
    if constexpr (std::same_as<T, std::int64_t>)
      B::copy(tensor.size(), std::as_const(counters.at(name)).data(), tensor.data());
    else
      B::convert(tensor.size(), std::as_const(moments.at(name)).data(), tensor.data());
  });
}

}  // namespace halfstep
