#pragma once

#include <halfstep/autograd/dropout.hpp>
#include <halfstep/nn/module.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// Zeroes each element with probability p in training and divides the others by 1 - p; hands its
/// input on in evaluation. The mask differs between steps and between calls within one.
template <class Setup>
class Dropout : public Module<Setup> {
 public:
  /// @throws UsageError  p is not in [0, 1)
  Dropout(const ModuleBase<typename Setup::Backend>& parent, std::string_view name, double p)
      : Module<Setup>(parent, name), probability_(p) {
    if (!(p >= 0.0 && p < 1.0))
      fail<UsageError>("Dropout '", this->name_of(""), "': the probability ", p,
                       " is not in [0, 1)");
  }

  template <class S>
  Variable<S, typename Setup::Backend> operator()(
      const Variable<S, typename Setup::Backend>& x) const {
    if (!this->training() || probability_ == 0.0) return x;
    const NameScope named(this->path());
    auto& store = *this->store();
    return dropout(x, probability_,
                   {store.seed(), store.next_draw(), std::as_const(store.attempted()).data()});
  }

 private:
  double probability_;
};

}  // namespace halfstep
