#pragma once

#include <halfstep/autograd/parameter_store.hpp>

#include <map>
#include <string>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// The names and shapes of a model's parameters and statistics.
template <class B>
std::map<std::string, Shape> shapes_by_name(ParameterStore<B>& store) {
  std::map<std::string, Shape> shapes;
  for (std::size_t i = 0; i < store.count(); ++i)
    shapes.emplace(store.info(i).name, store.info(i).shape);
  for (std::size_t i = 0; i < store.statistics().count(); ++i)
    shapes.emplace(store.statistics().name(i), store.statistics().shape(i));
  return shapes;
}

/// Gives a new model another one's values, by name, as exact as they are kept; also its groups, its
/// statistics and where its random numbers are. Storage types may differ.
///
/// @throws UsageError  a name is in one of the two models only, or an optimizer has the new one
/// @throws ShapeError  a shape differs
/// Nothing is changed where one of these is thrown.
template <class B>
void continue_from(ParameterStore<B>& next, ParameterStore<B>& old) {
  if (next.taken())
    fail<UsageError>("continue_as: an optimizer has the model that is to go on already; build a ",
                     "new one");
  const std::map<std::string, Shape> wanted = shapes_by_name(next);
  const std::map<std::string, Shape> there = shapes_by_name(old);
  const auto require_both = [](const auto& names, const auto& others, const char* which) {
    for (const auto& [name, shape] : names) {
      const auto found = others.find(name);
      if (found == others.end())
        fail<UsageError>("continue_as: '", name, "' is in the ", which,
                         " model only; both must be built alike");
      if (found->second != shape)
        fail<ShapeError>("continue_as: '", name, "' has shape ", shape, " in the ", which,
                         " model and ", found->second, " in the other; both must be built alike");
    }
  };
  require_both(there, wanted, "old");
  require_both(wanted, there, "new");
  for (std::size_t i = 0; i < old.count(); ++i) {
    const ParameterInfo& info = old.info(i);
    next.arrange(next.find(info.name), info.group, info.frozen);
  }
  for (std::size_t i = 0; i < old.count(); ++i)
    next.write(next.find(old.info(i).name), old.read(i));
  for (std::size_t i = 0; i < old.statistics().count(); ++i)
    next.statistics().write(next.statistics().find(old.statistics().name(i)),
                            old.statistics().read(i));
  next.continue_random(old);
  next.set_training(old.training());
}

}  // namespace halfstep
