#include <halfstep/backend/cpu/loops.hpp>

#include "reduce_checks.hpp"

namespace hs = halfstep;
using hs::Reduction;
using hs::backend::CpuLoops;
using reduce_checks::Same;

namespace reduce_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, Reduce, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class ReduceOnCpu : public testing::Test {};
TYPED_TEST_SUITE(ReduceOnCpu, numbers::StorageTypes);

TYPED_TEST(ReduceOnCpu, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  const auto x = numbers::normal_numbers<T>(400000, 1);
  for (const hs::ReduceProblem& p :
       {hs::ReduceProblem{.reduced = 400000}, hs::ReduceProblem{.reduced = 400, .inner = 1000},
        hs::ReduceProblem{.outer = 1000, .reduced = 400},
        hs::ReduceProblem{.reduced = 40000, .inner = 10}})
    numbers::expect_same_bits_for_any_threads([&] {
      std::vector<float> out(static_cast<std::size_t>(p.outer * p.inner));
      if constexpr (!std::is_same_v<T, double>)
        CpuLoops::reduce<Reduction::sum>(p, Same{}, out.data(), x.data());
      return out;
    });
}

}  // namespace
