#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/core/name_pattern.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Which of its two forms a layer has.
enum class Alternative : std::uint8_t { first, second };

namespace autograd {

/// The layers of a model that exist in two forms (nn::Either), of which one is chosen before the
/// arenas are laid out. Both forms have the same parameters, so that each is registered once; this
/// class knows which those are.
class Alternatives {
 public:
  struct Layer {
    std::string name;
    Alternative chosen;
    std::size_t begin, end;  ///< its parameters' indices
  };

  /// What is registered from now on are the parameters of a layer's first form.
  /// @param registered  the number of parameters so far
  /// @return  the layer's index
  /// @throws UsageError  another layer is being registered: one holds the other
  std::size_t open(std::string name, std::size_t registered) {
    if (stage_ != Stage::closed)
      fail<UsageError>("Either '", name, "' is a part of Either '", layers_.back().name,
                       "'; one holds no other: choose between two whole layers");
    stage_ = Stage::first;
    layers_.push_back({std::move(name), Alternative::first, registered, registered});
    return layers_.size() - 1;
  }
  /// What is registered from now on are the same parameters in the second form.
  void open_second(std::size_t registered) {
    stage_ = Stage::second;
    layers_.back().end = registered;
    met_ = 0;
  }
  /// @throws UsageError  the second form did not register all that the first one did
  void close() {
    stage_ = Stage::closed;
    const Layer& layer = layers_.back();
    if (met_ != layer.end - layer.begin)
      fail<UsageError>("Either '", layer.name, "': its first alternative has ",
                       layer.end - layer.begin, " parameters and its second ", met_,
                       "; both must be the same layer");
  }

  /// Whether a second form is being registered; `meet` is then called for each of its parameters.
  bool in_second() const { return stage_ == Stage::second; }
  /// @throws UsageError  the first form has no such parameter
  void meet(std::size_t index, const std::string& name) {
    if (index < layers_.back().begin || index >= layers_.back().end)
      fail<UsageError>("Either '", layers_.back().name, "': its second alternative has a ",
                       "parameter '", name, "', which its first has not; both must be the same ",
                       "layer");
    ++met_;
  }

  /// Calls exchange(index) for each parameter of a layer that changes its form.
  /// @return  how many layers the pattern names
  /// @throws UsageError  it names none
  template <class Exchange>
  std::size_t choose(Alternative which, std::string_view pattern, const Exchange& exchange) {
    std::size_t named = 0;
    for (Layer& layer : layers_) {
      if (!fits_pattern(pattern, layer.name)) continue;
      ++named;
      if (layer.chosen == which) continue;
      layer.chosen = which;
      for (std::size_t i = layer.begin; i < layer.end; ++i) exchange(i);
    }
    if (named == 0)
      fail<UsageError>("choose: no layer with two alternatives is named '", pattern, "'; ",
                       layers_.empty() ? "this model has none" : "there are " + names());
    return named;
  }
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  enum class Stage : std::uint8_t { closed, first, second };

  std::string names() const {
    std::string list;
    for (const Layer& layer : layers_) list += (list.empty() ? "'" : ", '") + layer.name + "'";
    return list;
  }

  std::vector<Layer> layers_;
  Stage stage_ = Stage::closed;
  std::size_t met_ = 0;
};

}  // namespace autograd
}  // namespace halfstep
