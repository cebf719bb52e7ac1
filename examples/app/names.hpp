#pragma once

#include <app/options.hpp>

#include <halfstep/core/error.hpp>

#include <array>
#include <string_view>

namespace app {

// What command lines may name; the types behind the names are in classifiers.hpp and
// optimizers.hpp, which cost more to include.

inline constexpr std::array classifier_names{"mlp", "cnn", "resnet"};
inline constexpr std::array optimizer_names{"sgd", "momentum", "adam", "adamw"};

/// The names in a sentence: "a, b or c".
template <std::size_t Count>
std::string listed(const std::array<const char*, Count>& names) {
  std::string text = names[0];
  for (std::size_t i = 1; i < Count; ++i)
    text += std::string(i + 1 < Count ? ", " : " or ") + names[i];
  return text;
}

/// @throws CommandLineError  the name is none of them
template <std::size_t Count>
void require_name(const std::string& option, const std::string& name,
                  const std::array<const char*, Count>& names) {
  for (const std::string_view known : names)
    if (name == known) return;
  halfstep::fail<CommandLineError>(option, " '", name, "' is unknown; choose ", listed(names));
}
inline void require_classifier(const std::string& name) {
  require_name("--model", name, classifier_names);
}
inline void require_optimizer(const std::string& name) {
  require_name("--optimizer", name, optimizer_names);
}

}  // namespace app
