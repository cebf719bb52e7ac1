#pragma once

#include <halfstep/autograd/parameter_store.hpp>
#include <halfstep/backend/setup.hpp>
#include <halfstep/core/name_pattern.hpp>

#include <initializer_list>
#include <memory>

namespace halfstep::inline HALFSTEP_ABI {

/// A set of parameter groups, 0 to 63.
using GroupSet = std::uint64_t;
inline constexpr GroupSet all_groups = ~GroupSet{0};

/// A model's parameters, and the Setup they were made under: what optimizers, scalers and backward
/// are given. A handle: copies are of the same parameters.
template <class Setup_>
class Parameters {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Store = ParameterStore<Backend>;

  explicit Parameters(std::shared_ptr<Store> store, GroupSet groups = all_groups)
      : store_(std::move(store)), groups_(groups) {}

  const std::shared_ptr<Store>& store() const { return store_; }
  std::size_t count() const { return store_->count(); }
  const ParameterInfo& info(std::size_t index) const { return store_->info(index); }
  /// The number of elements of all parameters.
  Index size() const {
    Index total = 0;
    for (std::size_t i = 0; i < count(); ++i)
      if (has_group(info(i).group)) total += info(i).shape.size();
    return total;
  }

  /// Puts the parameters whose name matches a pattern (`*` any characters, `?` one) in a group,
  /// which may have a rule of its own: `optimizer.set_rule(1, AdamW{...})`. Without a group of
  /// their own parameters are in group 0.
  /// @return  how many there are
  /// @throws UsageError  no name matches, the group is not within [0, 63], or an optimizer has
  ///                     taken the model
  std::size_t assign(int group, std::string_view pattern) {
    return arrange(pattern, [&](const ParameterInfo& info) { return Place{group, info.frozen}; });
  }
  /// Takes no gradient with respect to the parameters whose name matches, and never changes them;
  /// `freeze(pattern, false)` thaws them.
  /// @throws UsageError  as `assign` does
  std::size_t freeze(std::string_view pattern, bool frozen = true) {
    return arrange(pattern, [&](const ParameterInfo& info) { return Place{info.group, frozen}; });
  }

  /// The parameters of these groups alone, for an optimizer of a part of the model.
  Parameters only(std::initializer_list<int> groups) const {
    GroupSet set = 0;
    for (const int group : groups) set |= bit(group);
    return Parameters(store_, groups_ & set);
  }
  /// The parameters of all other groups.
  Parameters without(std::initializer_list<int> groups) const {
    return Parameters(store_, groups_ & ~only(groups).groups());
  }
  GroupSet groups() const { return groups_; }
  bool has_group(int group) const { return (groups_ & bit(group)) != 0; }

 private:
  struct Place {
    int group;
    bool frozen;
  };
  static GroupSet bit(int group) { return GroupSet{1} << (group & 63); }
  template <class Choose>
  std::size_t arrange(std::string_view pattern, const Choose& choose) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < count(); ++i) {
      if (!fits_pattern(pattern, info(i).name)) continue;
      const Place place = choose(info(i));
      store_->arrange(i, place.group, place.frozen);
      ++found;
    }
    if (found == 0)
      fail<UsageError>("there is no parameter whose name matches '", pattern, "' in this model",
                       count() == 0 ? "" : "; the first one is '", count() == 0 ? "" : info(0).name,
                       count() == 0 ? "" : "'");
    return found;
  }

  std::shared_ptr<Store> store_;
  GroupSet groups_;
};

}  // namespace halfstep
