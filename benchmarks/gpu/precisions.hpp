#pragma once

#include <halfstep/backend/setup.hpp>
#include <halfstep/core/error.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace measure {

/// Calls f(std::type_identity<Setup>) with the Setup whose products have the precision of that
/// name: what operands are stored in, or TF32. Instantiates f only for those that the program is
/// compiled for.
/// @throws PrecisionError  the program is not compiled for it
template <class Backend, class F>
void with_product_precision(std::string_view name, const F& f) {
  using namespace halfstep;
  const auto choose = [&]<class Policy>(std::string_view given, Policy) {
    if (name != given) return;
    if constexpr (has_precision<Backend, Policy>)
      f(std::type_identity<Setup<Policy, Backend>>{});
    else
      fail<PrecisionError>("--precisions ", name, ": this program is compiled for GPUs that have ",
                           "none; choose fp32 or fp16");
  };
  choose("fp32", Fp32{});
  choose("tf32", Tf32{});
  choose("fp16", MixedFp16{});
  choose("bf16", MixedBf16{});
}

/// The names of all that the program is compiled for.
template <class Backend>
std::vector<std::string> product_precisions() {
  using namespace halfstep;
  std::vector<std::string> names{"fp32"};
  if constexpr (has_precision<Backend, Tf32>) names.push_back("tf32");
  names.push_back("fp16");
  if constexpr (has_precision<Backend, MixedBf16>) names.push_back("bf16");
  return names;
}

/// --precisions NAME,NAME...
inline void add_precisions(CLI::App& line, std::vector<std::string>& precisions) {
  line.add_option("--precisions", precisions, "fp32, tf32, fp16, bf16")
      ->delimiter(',')
      ->check(CLI::IsMember({"fp32", "tf32", "fp16", "bf16"}));
}

}  // namespace measure
