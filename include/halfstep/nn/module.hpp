#pragma once

#include <halfstep/autograd/parameters.hpp>
#include <halfstep/autograd/recording.hpp>

#include <memory>
#include <string>

namespace halfstep::inline HALFSTEP_ABI {
namespace nn {

/// What a layer needs of its parent, whatever precision either has: the model's parameter store and
/// the name so far.
template <class Backend>
class ModuleBase {
 public:
  using Store = ParameterStore<Backend>;

  ModuleBase(const ModuleBase&) = delete;
  ModuleBase& operator=(const ModuleBase&) = delete;

  const std::shared_ptr<Store>& store() const { return store_; }
  /// The name of this module in its model: "block.0"; empty for the model itself.
  const std::string& path() const { return path_; }
  /// The name of a member of this module: "block.0.weight".
  std::string name_of(std::string_view member) const {
    return path_.empty() ? std::string(member) : path_ + "." + std::string(member);
  }
  /// Whether layers act as in training now, on this thread.
  bool training() const { return store_->training() && !autograd::evaluating(); }

 protected:
  ModuleBase() : store_(std::make_shared<Store>()) {}
  ModuleBase(const ModuleBase& parent, std::string_view name)
      : store_(parent.store_), path_(parent.name_of(name)) {}

 private:
  std::shared_ptr<Store> store_;
  std::string path_;
};

/// A parameter as a layer holds it: an index into the model's store.
template <class T, class Backend>
class Parameter {
 public:
  Parameter(const ModuleBase<Backend>& owner, std::string_view name, const Shape& shape,
            Initialiser initialiser)
      : store_(owner.store()),
        index_(store_->template add<T>(owner.name_of(name), shape, std::move(initialiser))) {}

  /// The parameter as a variable: its value now, and the slot that gathers its gradient.
  Variable<T, Backend> operator()() const { return store_->template variable<T>(index_); }
  const std::string& name() const { return store_->info(index_).name; }

 private:
  std::shared_ptr<ParameterStore<Backend>> store_;
  std::size_t index_;
};

/// The base of models and layers. A model derives from it and makes its layers members, each given
/// `*this` and a name; a layer passes its parent on.
///
///   struct Classifier : nn::Module<Setup> {
///     nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
///     ...
///   };
///
/// Modules do not copy; `clone` makes another one with the same values.
template <class Setup_>
class Module : public ModuleBase<typename Setup_::Backend> {
  static_assert(PrecisionPolicy<typename Setup_::Precision>,
                "halfstep: naming a member completes the Setup, which checks it");

 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Base = ModuleBase<Backend>;

  /// A model.
  Module() = default;
  /// A part of `parent`.
  Module(const Base& parent, std::string_view name) : Base(parent, name) {}

  /// All parameters of the model that this module belongs to.
  Parameters<Setup> parameters() const { return Parameters<Setup>(this->store()); }
  /// Gives every parameter its first value anew, from this seed.
  void initialise(std::uint64_t seed) { this->store()->initialise(seed); }
  /// Training mode (the default) or evaluation mode, for the whole model.
  void train(bool on = true) { this->store()->set_training(on); }
  void evaluate() { train(false); }
  /// Chooses the form of every nn::Either of the model whose name fits the pattern ("blocks.*.out";
  /// see core/name_pattern.hpp), before the model is first used; returns their number.
  /// @throws UsageError  the model was used already, or the pattern names no Either
  std::size_t choose(Alternative which, std::string_view pattern) {
    return this->store()->choose(which, pattern);
  }

 protected:
  /// The type of a parameter of a layer under this Setup.
  using ParameterType = nn::Parameter<typename Setup::Parameter, Backend>;
};

/// What a model takes: a variable in its Setup's Activation type.
template <class Setup>
using Input = Variable<typename Setup::Activation, typename Setup::Backend>;

}  // namespace nn

/// Another module with the same values, masters and statistics included, and the same alternatives;
/// `arguments` go to its constructor.
template <class Model, class... Arguments>
std::unique_ptr<Model> clone(const Model& model, Arguments&&... arguments) {
  auto copy = std::make_unique<Model>(std::forward<Arguments>(arguments)...);
  auto& from = *model.store();
  auto& to = *copy->store();
  if (from.count() != to.count() || from.alternatives().size() != to.alternatives().size())
    fail<UsageError>("clone: the copy has ", to.count(), " parameters and the model ", from.count(),
                     "; pass the arguments that the model was built with");
  for (std::size_t i = 0; i < from.alternatives().size(); ++i) {
    const auto& layer = from.alternatives()[i];
    if (to.alternatives()[i].chosen != layer.chosen) to.choose(layer.chosen, layer.name);
  }
  for (std::size_t i = 0; i < from.count(); ++i) to.write(to.find(from.info(i).name), from.read(i));
  auto& seen = from.statistics();
  for (std::size_t i = 0; i < seen.count(); ++i)
    to.statistics().write(to.statistics().find(seen.name(i)), seen.read(i));
  return copy;
}

}  // namespace halfstep
