#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's elementwise pass must do.
namespace elementwise_checks {

namespace hs = halfstep;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

// One rounding an element, so that every instruction set and the reference give the same bits.
struct Add {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& a, const N& b, N& sum) const {
    sum = a + b;
  }
};

/// A rule's shape: a 16-bit gradient, float state, a float master and a 16-bit weight.
struct Update {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& gradient, N& moment, N& master,
                                                       N& weight) const {
    moment = moment + gradient;
    master = master - moment;
    weight = master;
  }
};

struct Position {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(Index first, N& x) const {
    x = hs::int_to_float<N>(hs::lane_index<N>() + hs::Bits<N>(static_cast<std::uint32_t>(first)));
  }
};

/// Reads its factor where it runs; a negative one skips the pass.
struct Scale {
  const float* factor;
  struct Ready {
    float factor;
    HALFSTEP_HOST_DEVICE bool skip() const { return factor < 0.0f; }
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& x) const {
      x = x * N(factor);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const { return {*factor}; }
};

template <class Case>
class Elementwise : public hs::test::BackendTest<typename Case::Backend, typename Case::Storage> {};
TYPED_TEST_SUITE_P(Elementwise);

TYPED_TEST_P(Elementwise, HasTheReferencesBitsAtEverySizeAndTouchesNothingBehind) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  for (const Index n : {0, 1, 3, 4, 7, 8, 9, 16, 31, 33, 100, 50001}) {
    const auto a = normal_numbers<T>(n + 1, 1);
    const auto b = normal_numbers<T>(n + 1, 2);
    auto expected = normal_numbers<T>(n + 1, 3);
    const auto there_a = on_device<B>(a), there_b = on_device<B>(b);
    auto sum = on_device<B>(expected);
    B::for_each_element(n, Add{}, hs::In<T>{there_a.data()}, hs::In<T>{there_b.data()},
                        hs::Out<T>{sum.data()});
    const auto got = on_host<B>(sum);
    Reference::for_each_element(n, Add{}, hs::In<T>{a.data()}, hs::In<T>{b.data()},
                                hs::Out<T>{expected.data()});
    ASSERT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(T)), 0) << n;
  }
}

TYPED_TEST_P(Elementwise, MixesStorageTypes) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  constexpr Index n = 20001;
  const auto gradient = normal_numbers<T>(n, 1);
  auto moment = normal_numbers<float>(n, 2), master = normal_numbers<float>(n, 3);
  std::vector<hs::float16> weight(n);
  const auto there_gradient = on_device<B>(gradient);
  auto there_moment = on_device<B>(moment), there_master = on_device<B>(master);
  auto there_weight = on_device<B>(weight);
  B::for_each_element(n, Update{}, hs::In<T>{there_gradient.data()},
                      hs::InOut<float>{there_moment.data()}, hs::InOut<float>{there_master.data()},
                      hs::Out<hs::float16>{there_weight.data()});
  Reference::for_each_element(n, Update{}, hs::In<T>{gradient.data()},
                              hs::InOut<float>{moment.data()}, hs::InOut<float>{master.data()},
                              hs::Out<hs::float16>{weight.data()});
  EXPECT_EQ(on_host<B>(there_moment), moment);
  EXPECT_EQ(on_host<B>(there_master), master);
  EXPECT_EQ(on_host<B>(there_weight), weight);
}

TYPED_TEST_P(Elementwise, TellsWhichElementItHas) {
  using B = typename TypeParam::Backend;
  hs::TensorOf<float, B> x(hs::Shape{40001});
  B::for_each_element(40001, Position{}, hs::Out<float>{x.data()});
  const auto got = on_host<B>(x);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], static_cast<float>(i));
}

TYPED_TEST_P(Elementwise, PreparesItsFunctorAndSkipsWhenItSaysSo) {
  using B = typename TypeParam::Backend;
  using T = typename TypeParam::Storage;
  auto x = on_device<B>(std::vector<T>(50000, hs::storage_cast<T>(3.0f)));
  auto factor = on_device<B>(std::vector<float>{2.0f});
  B::for_each_element(50000, Scale{factor.data()}, hs::InOut<T>{x.data()});
  EXPECT_EQ(as_double(on_host<B>(x)), std::vector<double>(50000, 6.0));
  factor = on_device<B>(std::vector<float>{-1.0f});
  B::for_each_element(50000, Scale{factor.data()}, hs::InOut<T>{x.data()});
  EXPECT_EQ(as_double(on_host<B>(x)), std::vector<double>(50000, 6.0));
}

REGISTER_TYPED_TEST_SUITE_P(Elementwise, HasTheReferencesBitsAtEverySizeAndTouchesNothingBehind,
                            MixesStorageTypes, TellsWhichElementItHas,
                            PreparesItsFunctorAndSkipsWhenItSaysSo);

}  // namespace elementwise_checks
