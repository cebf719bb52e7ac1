#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/precision/soundness.hpp>

#include <optional>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// The policies' names on command lines, and what other frameworks call the same thing. A bare
/// "fp16" or "bf16" means the mixed policy, as it does for Megatron's --fp16 and --bf16 and for
/// Lightning: nobody trains without masters by a short name. Keras's "float16" and "bfloat16" are
/// without.
inline constexpr std::string_view precision_names[][2] = {
    {"fp32", "fp32"},
    {"tf32", "tf32"},
    {"mixed_fp16", "mixed_fp16"},
    {"mixed_bf16", "mixed_bf16"},
    {"pure_fp16", "pure_fp16"},
    {"pure_bf16", "pure_bf16"},
    {"32-true", "fp32"},               // Lightning
    {"16-mixed", "mixed_fp16"},        //
    {"bf16-mixed", "mixed_bf16"},      //
    {"16-true", "pure_fp16"},          //
    {"bf16-true", "pure_bf16"},        //
    {"32", "fp32"},                    // Lightning's older spellings
    {"16", "mixed_fp16"},              //
    {"bf16", "mixed_bf16"},            // and Megatron's
    {"fp16", "mixed_fp16"},            // Megatron
    {"float32", "fp32"},               // Keras
    {"mixed_float16", "mixed_fp16"},   //
    {"mixed_bfloat16", "mixed_bf16"},  //
    {"float16", "pure_fp16"},          //
    {"bfloat16", "pure_bf16"},         //
    {"O0", "fp32"},                    // Apex
    {"O1", "mixed_fp16"},              //
    {"O2", "mixed_fp16"},              //
    {"O3", "pure_fp16"},               //
};

/// The canonical name of a precision, from it or from a synonym; nothing where there is none.
constexpr std::optional<std::string_view> canonical_precision(std::string_view name) {
  for (const auto& [given, canonical] : precision_names)
    if (given == name) return canonical;
  return std::nullopt;
}

namespace detail {
/// What a program is compiled for may say less than what the backend has.
template <class Backend, class Policy>
constexpr bool is_compiled_for() {
  if constexpr (requires { Backend::template is_compiled_for<Policy>; })
    return Backend::template is_compiled_for<Policy>;
  return true;
}
}  // namespace detail

/// Whether a backend can train under a policy.
template <class Backend, class Policy>
inline constexpr bool has_precision =
    detail::is_compiled_for<Backend, Policy>() &&
    Backend::template has_gemm<typename Policy::Activation,
                               std::conditional_t<std::same_as<typename Policy::Product, tf32>,
                                                  tf32, typename Policy::Accumulator>,
                               typename Policy::Activation>;

/// Calls f(policy) with the policy of that name; instantiates f only for the policies that the
/// backend has.
/// @throws UsageError      the name is unknown
/// @throws PrecisionError  the name is known, and this backend does not have it
template <class Backend, class F>
void with_precision(std::string_view name, F&& f) {
  const std::optional<std::string_view> canonical = canonical_precision(name);
  if (!canonical)
    fail<UsageError>("precision '", name,
                     "' is unknown; choose fp32, tf32, mixed_fp16, mixed_bf16, pure_fp16 or "
                     "pure_bf16");
  const auto choose = [&]<class Policy>(Policy policy) {
    if (*canonical != Policy::name) return;
    if constexpr (has_precision<Backend, Policy>)
      f(policy);
    else
      fail<PrecisionError>("precision ", name, " is not to be had on the ", Backend::name,
                           " backend; choose another precision or backend");
  };
  choose(Fp32{});
  choose(Tf32{});
  choose(MixedFp16{});
  choose(MixedBf16{});
  choose(PureFp16{});
  choose(PureBf16{});
}

}  // namespace halfstep
