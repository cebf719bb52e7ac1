#include <halfstep/backend/cpu/loops.hpp>

#include "normalize_checks.hpp"

namespace hs = halfstep;
using hs::Normalization;
using hs::backend::CpuLoops;
using normalize_checks::Run;
using numbers::as_double;
using numbers::normal_numbers;

namespace normalize_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, Normalize, numbers::Cases<hs::backend::CpuLoops>);
}

namespace {

template <class T>
class NormalizeOnCpu : public testing::Test {};
TYPED_TEST_SUITE(NormalizeOnCpu, numbers::StorageTypes);

TYPED_TEST(NormalizeOnCpu, HasTheSameBitsForAnyThreads) {
  using T = TypeParam;
  using Scalar = hs::Compute<T>;
  const auto x = normal_numbers<T>(500 * 301, 1), upstream = normal_numbers<T>(500 * 301, 2);
  for (const Normalization& p : {Normalization{.layout = {500, 301, 1}},
                                 Normalization{.layout = {50, 10, 301}, .groups = 5}}) {
    const std::vector<Scalar> parameter(static_cast<std::size_t>(p.layout.channels), Scalar(0.75));
    numbers::expect_same_bits_for_any_threads([&] {
      const Run<T> run(CpuLoops(), p, x, upstream, std::vector<T>(x.size()), parameter, parameter);
      auto all = as_double(run.y);
      for (const auto& more : {as_double(run.dx), as_double(run.dweight), as_double(run.dbias)})
        all.insert(all.end(), more.begin(), more.end());
      return all;
    });
  }
}

}  // namespace
