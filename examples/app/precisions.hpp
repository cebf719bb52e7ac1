#pragma once

#include <app/options.hpp>

#include <halfstep/backend/setup.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// The paper's column without loss scaling: mixed FP16 whose loss is multiplied by nothing.
inline constexpr std::string_view fp16_without_scaling = "fp16_without_scaling";

/// `--precision paper`: what the tables of "Mixed Precision Training" compare, and BF16.
inline constexpr std::array<std::string_view, 4> paper_precisions{"fp32", fp16_without_scaling,
                                                                  "mixed_fp16", "mixed_bf16"};

/// Mixed FP16 whose loss is scaled, or not where a run says so: one type, compiled once for both.
struct MixedFp16OrUnscaled : halfstep::MixedFp16 {
  using AllowUnscaledFloat16 = void;
};

/// Calls f(policy, scaling) with the policy of that name, among the library's, `Extra` and
/// fp16_without_scaling, and its loss scaling.
/// @throws UsageError      the name is unknown
/// @throws PrecisionError  the name is known, and this backend does not have it
template <class Backend, class... Extra, class F>
void with_training_precision(std::string_view name, const F& f) {
  bool found = false;
  [[maybe_unused]] const auto try_extra = [&]<class Policy>(Policy policy) {
    if (found || name != Policy::name) return;
    found = true;
    f(policy, typename Policy::LossScaling{});
  };
  (try_extra(Extra{}), ...);
  if (found) return;
  const bool scales = name != fp16_without_scaling;
  halfstep::with_precision<Backend>(scales ? name : "mixed_fp16", [&]<class Policy>(Policy policy) {
    if constexpr (std::same_as<Policy, halfstep::MixedFp16>)
      f(MixedFp16OrUnscaled{}, halfstep::DynamicLossScaling{.enabled = scales});
    else
      f(policy, typename Policy::LossScaling{});
  });
}

/// The precisions that `--precision` lists by name, synonym, `paper` or `all`, each once and under
/// its own name. Whether the backend has them is `require_precisions`'s to say.
/// @tparam Extra  policies of this program's own
/// @throws CommandLineError  a name is unknown
template <class... Extra>
std::vector<std::string> canonical_precisions(const std::string& list) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  std::size_t first = 0;
  while (first <= list.size()) {
    const std::size_t comma = std::min(list.find(',', first), list.size());
    const std::string name = list.substr(first, comma - first);
    first = comma + 1;
    if (name == "paper") {
      for (const std::string_view each : paper_precisions) add(each);
      continue;
    }
    const bool is_own =
        name == "all" || name == fp16_without_scaling || ((name == Extra::name) || ...);
    const auto canonical = halfstep::canonical_precision(name);
    if (!is_own && !canonical) {
      std::string own;
      ((own += std::string(", ") + std::string(Extra::name)), ...);
      halfstep::fail<CommandLineError>("--precision '", name,
                                       "' is unknown; choose fp32, tf32, mixed_fp16, mixed_bf16, "
                                       "pure_fp16, pure_bf16, ",
                                       fp16_without_scaling, own, ", paper or all");
    }
    add(is_own ? name : *canonical);
  }
  return names;
}

/// Has a device multiply in a Setup's types: whether it is there, and can, is seen when it must.
/// @throws halfstep::BackendError    there is no such device
/// @throws halfstep::PrecisionError  the device is too old for these types
template <class Setup>
void require_product() {
  if constexpr (!Setup::Device::host_accessible) {
    using Backend = typename Setup::Backend;
    using Number = typename Setup::Activation;
    constexpr halfstep::Index size = 8;  // 16 bytes a row in every type, as tensor cores like it
    const halfstep::Shape square{size, size};
    halfstep::TensorOf<Number, Backend> factor(square), product(square);
    Backend::clear(factor.size(), factor.data());
    const Number *const from = factor.data(), *const no_bias = nullptr;
    Backend::template gemm<typename Setup::Compute>(halfstep::GemmProblem{1, size, size, size},
                                                    from, from, product.data(), no_bias);
    Backend::synchronize();
  }
}

/// Canonical names with `all` replaced by every precision that the backend has, and `Extra`.
/// @throws halfstep::PrecisionError  a precision is known, and the backend does not have it
/// @throws halfstep::BackendError    the backend's device is not there
template <class Backend, class... Extra>
std::vector<std::string> require_precisions(const std::vector<std::string>& canonical) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  // Nothing is trained for them.
  const auto require = [](const std::string& name) {
    const auto multiply = [](auto policy) {
      require_product<halfstep::Setup<decltype(policy), Backend>>();
    };
    if (((name == Extra::name && (multiply(Extra{}), true)) || ...)) return;
    halfstep::with_precision<Backend>(name == fp16_without_scaling ? "mixed_fp16" : name, multiply);
  };
  for (const std::string& name : canonical) {
    if (name != "all") {
      require(name);
      add(name);
      continue;
    }
    for (const char* each :
         {"fp32", "tf32", "mixed_fp16", "mixed_bf16", "pure_fp16", "pure_bf16"}) {
      try {
        require(each);
        add(each);
      } catch (const halfstep::PrecisionError&) {
        // `all` means what the backend has.
      }
    }
    (add(Extra::name), ...);
  }
  return names;
}

}  // namespace app
