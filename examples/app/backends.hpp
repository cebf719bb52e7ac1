#pragma once

#include <app/options.hpp>

#include <halfstep/backend/default.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/setup.hpp>

// What stands in the path decides nothing for oneDNN, which is a library; Eigen is only headers.
#if __has_include(<Eigen/Core>)
#include <halfstep/backend/eigen.hpp>
#endif

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace app {

/// Calls f(std::type_identity<Backend>) with the backend of that name.
/// @throws CommandLineError         there is no such backend
/// @throws halfstep::BackendError   there is, but this program is built without it
template <class F>
void with_backend(std::string_view name, const F& f) {
  using halfstep::fail;
  namespace backend = halfstep::backend;
  if (name == backend::Default::name) return f(std::type_identity<backend::Default>{});
  if (name == "reference") return f(std::type_identity<backend::Reference>{});
  if (name == "eigen") {
#if __has_include(<Eigen/Core>)
    return f(std::type_identity<backend::Eigen>{});
#else
    fail<halfstep::BackendError>("--backend eigen: this program was built without Eigen; install ",
                                 "libeigen3-dev and build it again, or choose --backend ",
                                 backend::Default::name);
#endif
  }
  if (name == "onednn")
    fail<halfstep::BackendError>(
        "--backend onednn: this program was built without oneDNN; install ",
        "libdnnl-dev and build it again, or choose --backend ", backend::Default::name);
  if (name == "cuda")
    fail<halfstep::BackendError>("--backend cuda: this program was built without CUDA; choose ",
                                 "--backend ", backend::Default::name);
  fail<CommandLineError>("--backend '", name,
                         "' is unknown; choose eigen, onednn, reference or cuda");
}

/// The precisions that `--precision` lists by name, synonym or `all`, each once and under its own
/// name. Whether the backend has them is `require_precisions`'s to say.
/// @throws CommandLineError  a name is unknown
inline std::vector<std::string> canonical_precisions(const std::string& list) {
  std::vector<std::string> names;
  std::size_t first = 0;
  while (first <= list.size()) {
    const std::size_t comma = std::min(list.find(',', first), list.size());
    const std::string name = list.substr(first, comma - first);
    first = comma + 1;
    const auto canonical = halfstep::canonical_precision(name);
    if (name != "all" && !canonical)
      halfstep::fail<CommandLineError>("--precision '", name,
                                       "' is unknown; choose fp32, tf32, "
                                       "mixed_fp16, mixed_bf16, pure_fp16, pure_bf16 or all");
    const std::string own(name == "all" ? name : *canonical);
    if (std::find(names.begin(), names.end(), own) == names.end()) names.push_back(own);
  }
  return names;
}

/// Canonical names with `all` replaced by every precision that the backend has.
/// @throws halfstep::PrecisionError  a precision is known, and the backend does not have it
template <class Backend>
std::vector<std::string> require_precisions(const std::vector<std::string>& canonical) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  for (const std::string& name : canonical) {
    if (name != "all") {
      halfstep::with_precision<Backend>(name, [&](auto policy) { add(policy.name); });
      continue;
    }
    for (const char* each :
         {"fp32", "tf32", "mixed_fp16", "mixed_bf16", "pure_fp16", "pure_bf16"}) {
      try {
        halfstep::with_precision<Backend>(each, [&](auto policy) { add(policy.name); });
      } catch (const halfstep::PrecisionError&) {
        // `all` means what the backend has.
      }
    }
  }
  return names;
}

}  // namespace app
