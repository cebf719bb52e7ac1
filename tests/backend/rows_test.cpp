#include <halfstep/backend/cpu/loops.hpp>

#include "rows_checks.hpp"

namespace hs = halfstep;
using hs::backend::CpuLoops;

namespace rows_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, Rows, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class RowsOnCpu : public testing::Test {};
TYPED_TEST_SUITE(RowsOnCpu, numbers::StorageTypes);

TYPED_TEST(RowsOnCpu, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto x = numbers::normal_numbers<T>(500 * 301, 1);
  numbers::expect_same_bits_for_any_threads([&] {
    std::vector<T> y(x.size());
    CpuLoops::softmax(500, 301, false, x.data(), y.data());
    return y;
  });
}

}  // namespace

TEST(RowsOfFloats, MaskedEntriesGetNoProbability) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{1.0f, -infinity, 1.0f, -infinity, -infinity};
  std::vector<float> y(5);
  CpuLoops::softmax(1, 5, false, x.data(), y.data());
  EXPECT_EQ(y, (std::vector<float>{0.5f, 0.0f, 0.5f, 0.0f, 0.0f}));
}
