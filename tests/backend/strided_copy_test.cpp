#include <halfstep/backend/cpu/loops.hpp>

#include "strided_copy_checks.hpp"

namespace hs = halfstep;
using hs::backend::CpuLoops;

namespace strided_copy_checks {
using OnCpu = testing::Types<hs::backend::CpuLoops>;
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, StridedCopy, OnCpu);
}  // namespace strided_copy_checks

TEST(StridedCopyOnCpu, AddsUpWhatMeetsInOnePlaceForAnyThreads) {
  numbers::expect_same_bits_for_any_threads([] {
    const auto from = numbers::normal_numbers<float>(100000, 1);
    std::vector<float> sum(10);
    CpuLoops::strided_copy(
        {.extents = {10000, 10}, .from_strides = {10, 1}, .to_strides = {0, 1}, .accumulate = true},
        from.data(), sum.data());
    return sum;
  });
}
