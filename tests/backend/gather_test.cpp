#include <halfstep/backend/cpu/loops.hpp>

#include "gather_checks.hpp"

namespace hs = halfstep;
using gather_checks::some_indices;
using hs::backend::CpuLoops;

namespace gather_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, Gather, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class GatherOnCpu : public testing::Test {};
TYPED_TEST_SUITE(GatherOnCpu, numbers::StorageTypes);

TYPED_TEST(GatherOnCpu, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto index = some_indices(3000, 500);
  const auto values = numbers::normal_numbers<T>(3000 * 40, 2);
  numbers::expect_same_bits_for_any_threads([&] {
    std::vector<T> table(500 * 40, hs::storage_cast<T>(0.0f));
    CpuLoops::scatter_add_rows(3000, 40, 500, values.data(), index.data(), table.data());
    return table;
  });
}

}  // namespace
