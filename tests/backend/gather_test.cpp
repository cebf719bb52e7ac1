#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace {

template <class T>
class Gather : public testing::Test {};
TYPED_TEST_SUITE(Gather, numbers::StorageTypes);

std::vector<std::int32_t> some_indices(Index n, Index rows) {
  std::mt19937 generator(9);
  std::uniform_int_distribution<std::int32_t> any(0, static_cast<std::int32_t>(rows) - 1);
  std::vector<std::int32_t> index(static_cast<std::size_t>(n));
  for (auto& i : index) i = any(generator);
  return index;
}

}  // namespace

TYPED_TEST(Gather, TakesRowsAndAddsThemBackInOrder) {
  using T = TypeParam;
  for (const Index width : {1, 7, 64, 100}) {
    constexpr Index rows = 23, n = 900;
    const auto index = some_indices(n, rows);
    const auto table = numbers::normal_numbers<T>(rows * width, 1);
    std::vector<T> out(static_cast<std::size_t>(n * width)), expected_out(out);
    CpuLoops::gather_rows(n, width, rows, table.data(), index.data(), out.data());
    Reference::gather_rows(n, width, rows, table.data(), index.data(), expected_out.data());
    EXPECT_EQ(std::memcmp(out.data(), expected_out.data(), out.size() * sizeof(T)), 0);

    const auto values = numbers::normal_numbers<T>(n * width, 2);
    auto sums = table, expected = table;
    CpuLoops::scatter_add_rows(n, width, rows, values.data(), index.data(), sums.data());
    Reference::scatter_add_rows(n, width, rows, values.data(), index.data(), expected.data());
    EXPECT_EQ(std::memcmp(sums.data(), expected.data(), sums.size() * sizeof(T)), 0) << width;
  }
}

TYPED_TEST(Gather, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto index = some_indices(3000, 500);
  const auto values = numbers::normal_numbers<T>(3000 * 40, 2);
  numbers::expect_same_bits_for_any_threads([&] {
    std::vector<T> table(500 * 40, hs::storage_cast<T>(0.0f));
    CpuLoops::scatter_add_rows(3000, 40, 500, values.data(), index.data(), table.data());
    return table;
  });
}

TEST(GatherRows, RefusesAnIndexThatIsNotThere) {
  const std::vector<float> x(8);
  std::vector<float> out(8);
  for (const std::int32_t bad : {-1, 4}) {
    const std::vector<std::int32_t> index{0, bad};
    EXPECT_THROW(CpuLoops::gather_rows(2, 2, 4, x.data(), index.data(), out.data()), hs::DataError);
    EXPECT_THROW(CpuLoops::scatter_add_rows(2, 2, 4, x.data(), index.data(), out.data()),
                 hs::DataError);
  }
}
