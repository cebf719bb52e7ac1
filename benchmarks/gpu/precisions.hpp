#pragma once

#include <app/options.hpp>

#include <halfstep/backend/setup.hpp>
#include <halfstep/core/error.hpp>

#include <array>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace measure {

/// The names of a product's precisions: what operands are stored in, or TF32.
inline constexpr std::array product_precisions{"fp32", "tf32", "fp16", "bf16"};

/// Calls f(std::type_identity<Setup>) with the Setup whose products have that precision.
/// @throws app::CommandLineError  there is no such precision
template <class Backend, class F>
void with_product_precision(std::string_view name, const F& f) {
  using namespace halfstep;
  if (name == "fp32") return f(std::type_identity<Setup<Fp32, Backend>>{});
  if (name == "tf32") return f(std::type_identity<Setup<Tf32, Backend>>{});
  if (name == "fp16") return f(std::type_identity<Setup<MixedFp16, Backend>>{});
  if (name == "bf16") return f(std::type_identity<Setup<MixedBf16, Backend>>{});
  fail<app::CommandLineError>("--precisions ", name,
                              ": there is no such precision; choose fp32, tf32, fp16 or bf16");
}

}  // namespace measure
