#include <halfstep/backend/grid/host_grid.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/on_device.hpp"

namespace halfstep::test {
namespace {

using B = backend::HostGrid;

template <class T>
concept HostReads = requires(const T& tensor) {
  tensor.span();
};

TEST(HostGridDevice, IsReachedByUploadsAndDownloadsAlone) {
  EXPECT_TRUE(HostReads<Tensor<float>>);
  EXPECT_FALSE((HostReads<TensorOf<float, B>>));
  const std::vector<float> numbers{1.0f, -2.0f, 3.0f};
  const auto there = on_device<B>(numbers);
  TensorOf<float, B> copy(there.shape());
  B::copy(3, there.data(), copy.data());
  EXPECT_EQ(on_host<B>(copy), numbers);
  B::clear(2, copy.data());
  EXPECT_EQ(on_host<B>(copy), (std::vector<float>{0.0f, 0.0f, 3.0f}));
}

TEST(HostGridDevice, GivesMemoryThatIsNanInEveryStorageType) {
  const auto expect_nan = []<class T>(T) {
    device::HostGrid::pool().trim();  // what is cached holds its last owner's numbers
    const TensorOf<T, B> fresh(Shape{1001});
    for (const T value : on_host<B>(fresh)) ASSERT_TRUE(std::isnan(storage_cast<double>(value)));
  };
  expect_nan(0.0f);
  expect_nan(0.0);
  expect_nan(float16());
  expect_nan(bfloat16());
}

}  // namespace
}  // namespace halfstep::test
