#pragma once

#include <app/options.hpp>

#include <halfstep/backend/reference.hpp>

#include <string>
#include <type_traits>

namespace training {

struct MlpCase;
struct CnnCase;
struct GptCase;

/// Whether a case is measured on a backend: the reference's plain loops take minutes for a step of
/// the larger ones.
template <class Case, class Backend>
inline constexpr bool measured =
    std::is_same_v<Case, MlpCase> || !std::is_same_v<Backend, halfstep::backend::Reference>;

/// Calls f(std::type_identity<Case>) with the case of that name.
/// @throws app::CommandLineError  there is no such model
template <class F>
void with_case(const std::string& model, const F& f) {
  if (model == "mlp" || model == "mlp_wide") return f(std::type_identity<MlpCase>{});
  if (model == "cnn") return f(std::type_identity<CnnCase>{});
  if (model == "gpt" || model == "gpt2") return f(std::type_identity<GptCase>{});
  halfstep::fail<app::CommandLineError>(
      "--model ", model, ": there is no such model; choose mlp, mlp_wide, cnn, gpt or gpt2");
}

}  // namespace training
