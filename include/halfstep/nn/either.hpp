#pragma once

#include <halfstep/nn/module.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// One layer under two Setups, both compiled, of which a model takes one at run time:
///
///   using Out = nn::Either<nn::Linear<Setup>, nn::Linear<Setup::with<Fp32>>>;
///   ...
///   model.choose(Alternative::second, "blocks.*.out");   // before its first use
///
/// The parameters are registered once, under the layer's usual names, whichever is chosen: files
/// and other models match by name. What was not chosen has no memory and no gradient. A model with
/// L such layers compiles 2 L layers for 2^L models.
///
/// @tparam First   the layer as it is unless the other one is chosen
/// @tparam Second  the same layer: the same parameters, names and shapes, and the same result type
template <class First, class Second>
class Either : public Module<typename First::Setup> {
  using Base = ModuleBase<typename First::Backend>;

 public:
  /// @param arguments  what both constructors take after the parent and the name
  /// @throws UsageError  the two have other parameters, or one holds an Either
  template <class... Arguments>
  Either(const Base& parent, std::string_view name, const Arguments&... arguments)
      : Module<typename First::Setup>(parent, name),
        layer_(parent.store()->open_alternatives(parent.name_of(name))),
        first_(parent, name, arguments...),
        second_(in_second(parent), name, arguments...) {
    parent.store()->close_alternatives();
  }

  /// What the chosen one returns.
  template <class... Inputs>
  auto operator()(const Inputs&... inputs) const {
    return visit([&](const auto& layer) { return layer(inputs...); });
  }
  /// f(layer) of the chosen one.
  template <class F>
  auto visit(const F& f) const {
    static_assert(std::is_same_v<decltype(f(first_)), decltype(f(second_))>,
                  "halfstep: both alternatives of an Either must return the same type, since the "
                  "choice is made at run time; give both keep_output, or neither");
    return chosen() == Alternative::first ? f(first_) : f(second_);
  }
  Alternative chosen() const { return this->store()->alternatives()[layer_].chosen; }

 private:
  static const Base& in_second(const Base& parent) {
    parent.store()->open_second_alternative();
    return parent;
  }

  std::size_t layer_;
  First first_;
  Second second_;
};

}  // namespace halfstep
