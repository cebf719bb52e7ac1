#include <halfstep/backend/cpu/loops.hpp>

#include "recurrent_checks.hpp"

namespace hs = halfstep;
using hs::RecurrentStep;
using hs::backend::CpuLoops;
using numbers::normal_numbers;
using recurrent_checks::Run;

namespace recurrent_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, Recurrent, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class RecurrentOnCpu : public testing::Test {};
TYPED_TEST_SUITE(RecurrentOnCpu, numbers::StorageTypes);

TYPED_TEST(RecurrentOnCpu, HasTheSameBitsForAnyThreads) {
  const RecurrentStep step{.batch = 300, .hidden = 301};
  const auto upstream = normal_numbers<TypeParam>(300 * 301, 6);
  numbers::expect_same_bits_for_any_threads(
      [&] { return Run<hs::formulas::GruCell, TypeParam>(CpuLoops(), step, upstream).to_input; });
}

}  // namespace
