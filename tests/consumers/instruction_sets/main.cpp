#include <iostream>
#include <vector>

std::vector<float> computed_plain();
std::vector<float> computed_wide();

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::cout << "skipped: this processor has no AVX2\n";
    return 77;
  }
  const std::vector<float> plain = computed_plain();
  if (plain.empty() || plain != computed_wide()) {
    std::cerr << "the two translation units computed different values\n";
    return 1;
  }
  std::cout << plain.size() << " equal values\n";
}
