#include <halfstep/backend/test_device.hpp>
#include <halfstep/ops/gemm.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace hs = halfstep;
using B = hs::backend::Delayed;
using Tensor = hs::TensorOf<float, B>;

namespace {

Tensor uploaded(const std::vector<float>& values, const hs::Shape& shape) {
  Tensor tensor(shape);
  B::upload(std::span<const float>(values), tensor.data());
  return tensor;
}
std::vector<float> downloaded(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.size()));
  B::download(tensor.data(), std::span<float>(values));
  return values;
}

struct Double {
  template <class N>
  HALFSTEP_INLINE void operator()(N& x) const {
    x = x + x;
  }
};

}  // namespace

TEST(TestDevice, IsABackend) { EXPECT_TRUE(hs::Backend<B>); }

TEST(TestDevice, WorksInOrderWhenTheHostWaits) {
  const std::size_t before = B::synchronizations();
  const Tensor a = uploaded({1, 2, 3, 4}, {2, 2});
  Tensor c(hs::Shape{2, 2});
  hs::gemm<B, float>(a.view(), a.view(), c.view());
  B::for_each_element(4, Double{}, hs::InOut<float>{c.data()});
  EXPECT_EQ(B::synchronizations(), before);
  EXPECT_EQ(downloaded(c), (std::vector<float>{14, 20, 30, 44}));
  EXPECT_EQ(B::synchronizations(), before + 1);
}

TEST(TestDevice, CopiesWhatItUploadsAtOnce) {
  Tensor x(hs::Shape{2});
  {
    std::vector<float> values{1, 2};
    B::upload(std::span<const float>(values), x.data());
    values = {8, 9};
  }
  EXPECT_EQ(downloaded(x), (std::vector<float>{1, 2}));
}

TEST(TestDevice, FreesMemoryInTheOrderOfTheQueue) {
  Tensor sum(hs::Shape{2});
  {
    const Tensor x = uploaded({5, 6}, {2});
    B::copy(2, x.data(), sum.data());
  }  // x is gone before anything ran
  const Tensor other = uploaded({1, 1}, {2});
  EXPECT_EQ(downloaded(sum), (std::vector<float>{5, 6}));
}

TEST(TestDevice, GivesOutNan) {
  for (const float value : downloaded(Tensor(hs::Shape{5}))) EXPECT_TRUE(std::isnan(value));
}

TEST(TestDevice, RefusesHostMemory) {
  std::vector<float> host(4);
  Tensor x(hs::Shape{4});
  EXPECT_THROW(B::copy(4, static_cast<const float*>(host.data()), x.data()), hs::UsageError);
  EXPECT_THROW(B::for_each_element(4, Double{}, hs::InOut<float>{host.data()}), hs::UsageError);
  B::synchronize();
}

TEST(TestDevice, BringsAnErrorOfItsWorkToWhoeverWaits) {
  Tensor table(hs::Shape{2}), out(hs::Shape{1});
  hs::TensorOf<std::int32_t, B> index(hs::Shape{1});
  const std::int32_t bad = 7;
  B::upload(std::span<const std::int32_t>(&bad, 1), index.data());
  B::gather_rows(1, 1, 2, static_cast<const float*>(table.data()),
                 static_cast<const std::int32_t*>(index.data()), out.data());
  EXPECT_THROW(B::synchronize(), hs::DataError);
  B::synchronize();  // the queue is empty and whole again
}

#if defined(__linux__)
TEST(TestDeviceDeathTest, HostCodeThatReadsItsMemoryCrashes) {
  const Tensor x = uploaded({5, 6}, {2});
  B::synchronize();
  EXPECT_DEATH(
      {
        volatile float value = *x.data();
        static_cast<void>(value);
      },
      "");
}
#endif
