#include <halfstep/backend/cpu/loops.hpp>

#include "elementwise_checks.hpp"

namespace hs = halfstep;
using elementwise_checks::Add;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace elementwise_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, Elementwise, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class ElementwiseOnCpu : public testing::Test {};
TYPED_TEST_SUITE(ElementwiseOnCpu, numbers::StorageTypes);

struct Halve {
  template <class N>
  HALFSTEP_INLINE void operator()(N& x) const {
    x = x * N(0.5f);
  }
};

TYPED_TEST(ElementwiseOnCpu, HasTheSameBitsOnEveryInstructionSet) {
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

TYPED_TEST(ElementwiseOnCpu, HasTheSameBitsForAnyThreads) {
  numbers::expect_same_bits_for_any_threads([] {
    auto x = numbers::normal_numbers<TypeParam>(100003, 4);
    CpuLoops::for_each_element(100003, Halve{}, hs::InOut<TypeParam>{x.data()});
    return x;
  });
}

}  // namespace
