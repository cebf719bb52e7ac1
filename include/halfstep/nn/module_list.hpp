#pragma once

#include <halfstep/nn/module.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// Run-time many modules of one type, named by their numbers: "blocks.0", "blocks.1", ...
template <class M>
class ModuleList : public Module<typename M::Setup> {
 public:
  using Setup = typename M::Setup;

  ModuleList(const ModuleBase<typename Setup::Backend>& parent, std::string_view name)
      : Module<Setup>(parent, name) {}

  /// Adds a module; `arguments` follow its parent and name.
  template <class... Arguments>
  M& emplace(Arguments&&... arguments) {
    const std::string name = std::to_string(modules_.size());
    modules_.push_back(std::make_unique<M>(*this, name, std::forward<Arguments>(arguments)...));
    return *modules_.back();
  }

  std::size_t size() const { return modules_.size(); }
  M& operator[](std::size_t i) { return *modules_[i]; }
  const M& operator[](std::size_t i) const { return *modules_[i]; }

 private:
  std::vector<std::unique_ptr<M>> modules_;
};

}  // namespace halfstep
