#include "computed.hpp"

#include <cmath>
#include <cstddef>
#include <iostream>

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::cout << "skipped: this processor has no AVX2\n";
    return 77;
  }
  const Computed plain = computed_plain();
  const Computed wide = computed_wide();
  if (plain.conversions.empty() || plain.conversions != wide.conversions) {
    std::cerr << "the two translation units convert differently\n";
    return 1;
  }
  bool alike = !plain.losses.empty() && plain.losses.size() == wide.losses.size();
  for (std::size_t i = 0; alike && i < plain.losses.size(); ++i) {
    std::cout << plain.losses[i] << " " << wide.losses[i] << "\n";
    // Sums may be fused or not: a few units of bfloat16's roundoff, 2^-8, of a loss near log 2.
    alike = std::abs(plain.losses[i] - wide.losses[i]) <= 4.0f * 0.00390625f * plain.losses[i];
  }
  if (!alike) std::cerr << "the two translation units train differently\n";
  return alike ? 0 : 1;
}
