#include <halfstep/backend/cpu/loops.hpp>

#include "channel_moments_checks.hpp"

namespace hs = halfstep;
using channel_moments_checks::Run;
using hs::ChannelLayout;
using hs::Index;
using hs::backend::CpuLoops;
using numbers::as_double;
using numbers::normal_numbers;

namespace channel_moments_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, ChannelMoments, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class ChannelMomentsOnCpu : public testing::Test {};
TYPED_TEST_SUITE(ChannelMomentsOnCpu, numbers::StorageTypes);

TYPED_TEST(ChannelMomentsOnCpu, HaveTheSameBitsForAnyThreads) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  for (const ChannelLayout& layout : {ChannelLayout{700, 211, 1}, ChannelLayout{35, 20, 211}}) {
    const Index size = layout.outer * layout.channels * layout.inner;
    const auto x = normal_numbers<T>(size, 1), upstream = normal_numbers<T>(size, 2);
    const std::vector<Scalar> parameter(static_cast<std::size_t>(layout.channels), Scalar(0.75));
    numbers::expect_same_bits_for_any_threads([&] {
      const Run<T> run(CpuLoops(), layout, x, upstream, upstream, parameter, parameter);
      auto all = as_double(run.y);
      for (const auto& more : {as_double(run.dx), as_double(run.sum), as_double(run.product)})
        all.insert(all.end(), more.begin(), more.end());
      return all;
    });
  }
}

}  // namespace
