#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace {

// One rounding an element, so that every instruction set and the reference give the same bits.
struct Add {
  template <class N>
  HALFSTEP_INLINE void operator()(const N& a, const N& b, N& sum) const {
    sum = a + b;
  }
};

template <class T>
class Elementwise : public testing::Test {};
TYPED_TEST_SUITE(Elementwise, numbers::StorageTypes);

struct Halve {
  template <class N>
  HALFSTEP_INLINE void operator()(N& x) const {
    x = x * N(0.5f);
  }
};

}  // namespace

TYPED_TEST(Elementwise, HasTheReferencesBitsAtEverySizeAndTouchesNothingBehind) {
  for (const Index n : {0, 1, 3, 4, 7, 8, 9, 16, 31, 33, 100, 50001}) {
    const auto a = numbers::normal_numbers<TypeParam>(n + 1, 1);
    const auto b = numbers::normal_numbers<TypeParam>(n + 1, 2);
    auto got = numbers::normal_numbers<TypeParam>(n + 1, 3);
    auto expected = got;
    CpuLoops::for_each_element(n, Add{}, hs::In<TypeParam>{a.data()}, hs::In<TypeParam>{b.data()},
                               hs::Out<TypeParam>{got.data()});
    Reference::for_each_element(n, Add{}, hs::In<TypeParam>{a.data()}, hs::In<TypeParam>{b.data()},
                                hs::Out<TypeParam>{expected.data()});
    ASSERT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(TypeParam)), 0) << n;
  }
}

TYPED_TEST(Elementwise, HasTheSameBitsOnEveryInstructionSet) {
  if constexpr (!std::is_same_v<TypeParam, double>) {
    constexpr Index n = 1024;  // whole packets on each
    const auto a = numbers::normal_numbers<TypeParam>(n, 1);
    const auto b = numbers::normal_numbers<TypeParam>(n, 2);
    std::vector<TypeParam> expected(n);
    Reference::for_each_element(n, Add{}, hs::In<TypeParam>{a.data()}, hs::In<TypeParam>{b.data()},
                                hs::Out<TypeParam>{expected.data()});
    for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
      std::vector<TypeParam> got(n);
      using Kernel = hs::backend::cpu::ElementKernel<Add, hs::In<TypeParam>, hs::In<TypeParam>,
                                                     hs::Out<TypeParam>>;
      const Kernel kernel{Add{}, 0, {{a.data()}, {b.data()}, {got.data()}}};
      hs::run_on(set, kernel, Index{0}, n);
      EXPECT_EQ(std::memcmp(got.data(), expected.data(), n * sizeof(TypeParam)), 0)
          << hs::name(set);
    }
  }
}

TYPED_TEST(Elementwise, HasTheSameBitsForAnyThreads) {
  numbers::expect_same_bits_for_any_threads([] {
    auto x = numbers::normal_numbers<TypeParam>(100003, 4);
    CpuLoops::for_each_element(100003, Halve{}, hs::InOut<TypeParam>{x.data()});
    return x;
  });
}

namespace {

/// A rule's shape: a 16-bit gradient, float state, a float master and a 16-bit weight.
struct Update {
  template <class N>
  HALFSTEP_INLINE void operator()(const N& gradient, N& moment, N& master, N& weight) const {
    moment = moment + gradient;
    master = master - moment;
    weight = master;
  }
};

}  // namespace

TEST(ElementwisePass, MixesStorageTypes) {
  constexpr Index n = 20001;
  const auto gradient = numbers::normal_numbers<hs::bfloat16>(n, 1);
  std::vector<float> moment[2], master[2];
  std::vector<hs::float16> weight[2];
  for (int i : {0, 1}) {
    moment[i] = numbers::normal_numbers<float>(n, 2);
    master[i] = numbers::normal_numbers<float>(n, 3);
    weight[i].resize(n);
  }
  const auto run = [&](auto backend, int i) {
    decltype(backend)::for_each_element(
        n, Update{}, hs::In<hs::bfloat16>{gradient.data()}, hs::InOut<float>{moment[i].data()},
        hs::InOut<float>{master[i].data()}, hs::Out<hs::float16>{weight[i].data()});
  };
  run(CpuLoops{}, 0);
  run(Reference{}, 1);
  EXPECT_EQ(moment[0], moment[1]);
  EXPECT_EQ(master[0], master[1]);
  EXPECT_EQ(weight[0], weight[1]);
}

namespace {

struct Position {
  template <class N>
  HALFSTEP_INLINE void operator()(Index first, N& x) const {
    x = hs::int_to_float<N>(hs::lane_index<N>() + hs::Bits<N>(static_cast<std::uint32_t>(first)));
  }
};

/// Reads its factor where it runs; a negative one skips the pass.
struct Scale {
  const float* factor;
  struct Ready {
    float factor;
    bool skip() const { return factor < 0.0f; }
    template <class N>
    HALFSTEP_INLINE void operator()(N& x) const {
      x = x * N(factor);
    }
  };
  Ready prepared() const { return {*factor}; }
};

}  // namespace

TEST(ElementwisePass, TellsWhichElementItHas) {
  std::vector<float> x(40001);
  CpuLoops::for_each_element(40001, Position{}, hs::Out<float>{x.data()});
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(x[i], static_cast<float>(i));
}

TEST(ElementwisePass, PreparesItsFunctorAndSkipsWhenItSaysSo) {
  std::vector<float> x(50000, 3.0f);
  float factor = 2.0f;
  CpuLoops::for_each_element(50000, Scale{&factor}, hs::InOut<float>{x.data()});
  EXPECT_EQ(x, std::vector<float>(50000, 6.0f));
  factor = -1.0f;
  x[7] = std::nanf("");
  CpuLoops::for_each_element(50000, Scale{&factor}, hs::InOut<float>{x.data()});
  EXPECT_EQ(x[8], 6.0f);
}
