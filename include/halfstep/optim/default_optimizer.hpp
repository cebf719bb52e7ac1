#pragma once

#include <halfstep/optim/kahan_sum.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/split_master.hpp>
#include <halfstep/optim/stochastic_rounding.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/precision/update_kind.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace optim {

template <Rule R>
Direct<R> wrap(update::Direct, const R& rule) {
  return {rule};
}
template <Rule R>
MasterWeights<R> wrap(update::MasterWeights, const R& rule) {
  return {rule};
}
template <Rule R>
SplitMaster<R> wrap(update::SplitMaster, const R& rule) {
  return {rule};
}
template <Rule R>
KahanSum<R> wrap(update::KahanSum, const R& rule) {
  return {rule};
}
template <Rule R>
StochasticRounding<R> wrap(update::StochasticRounding, const R& rule) {
  return {rule};
}
template <Rule R>
UnsafeNearest<R> wrap(update::UnsafeNearest, const R& rule) {
  return {rule};
}

/// The wrapper that a policy's Update names.
template <class Setup, Rule R>
using DefaultWrapper =
    decltype(wrap(typename Setup::Precision::Update{}, std::declval<const R&>()));

}  // namespace optim

/// An optimizer whose rule is wrapped as the policy says: a loop changes precision by its Setup
/// alone.
template <class Setup, optim::Rule R, optim::Schedule S = optim::ConstantRate>
Optimizer<optim::DefaultWrapper<Setup, R>, Setup> default_optimizer(
    const Parameters<Setup>& parameters, const R& rule, const S& schedule = {}) {
  return {parameters, optim::wrap(typename Setup::Precision::Update{}, rule), schedule};
}

}  // namespace halfstep
