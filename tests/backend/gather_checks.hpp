#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's gather and scatter must do.
namespace gather_checks {

namespace hs = halfstep;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

inline std::vector<std::int32_t> some_indices(Index n, Index rows) {
  std::mt19937 generator(9);
  std::uniform_int_distribution<std::int32_t> any(0, static_cast<std::int32_t>(rows) - 1);
  std::vector<std::int32_t> index(static_cast<std::size_t>(n));
  for (auto& i : index) i = any(generator);
  return index;
}

template <class Case>
class Gather : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Gather);

TYPED_TEST_P(Gather, TakesRowsAndAddsThemBackInOrder) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index width : {1, 7, 64, 100}) {
    constexpr Index rows = 23, n = 900;
    const auto index = some_indices(n, rows);
    const auto table = numbers::normal_numbers<T>(rows * width, 1);
    std::vector<T> expected_out(static_cast<std::size_t>(n * width));
    const auto there_index = on_device<B>(index);
    const auto there_table = on_device<B>(table);
    hs::TensorOf<T, B> taken(hs::Shape{n * width});
    B::gather_rows(n, width, rows, there_table.data(), there_index.data(), taken.data());
    const auto out = on_host<B>(taken);
    Reference::gather_rows(n, width, rows, table.data(), index.data(), expected_out.data());
    EXPECT_EQ(std::memcmp(out.data(), expected_out.data(), out.size() * sizeof(T)), 0);

    const auto values = numbers::normal_numbers<T>(n * width, 2);
    const auto there_values = on_device<B>(values);
    auto added = on_device<B>(table);
    B::scatter_add_rows(n, width, rows, there_values.data(), there_index.data(), added.data());
    const auto sums = on_host<B>(added);
    auto expected = table;
    Reference::scatter_add_rows(n, width, rows, values.data(), index.data(), expected.data());
    EXPECT_EQ(std::memcmp(sums.data(), expected.data(), sums.size() * sizeof(T)), 0) << width;
  }
}

TYPED_TEST_P(Gather, RefusesAnIndexThatIsNotThereWhereTheHostNextWaits) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  const auto x = on_device<B>(std::vector<T>(8));
  auto out = on_device<B>(std::vector<T>(8));
  for (const std::int32_t bad : {-1, 4}) {
    const auto index = on_device<B>(std::vector<std::int32_t>{0, bad});
    const auto gather = [&] {
      B::gather_rows(2, 2, 4, x.data(), index.data(), out.data());
      B::synchronize();
    };
    const auto scatter = [&] {
      B::scatter_add_rows(2, 2, 4, x.data(), index.data(), out.data());
      B::synchronize();
    };
    EXPECT_THROW(gather(), hs::DataError);
    EXPECT_THROW(scatter(), hs::DataError);
  }
}

REGISTER_TYPED_TEST_SUITE_P(Gather, TakesRowsAndAddsThemBackInOrder,
                            RefusesAnIndexThatIsNotThereWhereTheHostNextWaits);

}  // namespace gather_checks
