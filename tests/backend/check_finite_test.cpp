#include <halfstep/backend/cpu/loops.hpp>

#include "check_finite_checks.hpp"

namespace hs = halfstep;
using hs::backend::CpuLoops;

namespace check_finite_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, CheckFinite, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class CheckFiniteOnCpu : public testing::Test {};
TYPED_TEST_SUITE(CheckFiniteOnCpu, numbers::StorageTypes);

TYPED_TEST(CheckFiniteOnCpu, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto x = numbers::normal_numbers<T>(1000003, 1);
  numbers::expect_same_bits_for_any_threads([&] {
    hs::FiniteCheck check;
    CpuLoops::check_finite(1000003, x.data(), &check);
    return std::vector<double>{check.sum_of_squares};
  });
}

}  // namespace
