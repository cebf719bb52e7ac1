#include <halfstep/backend/cpu/count_updates.hpp>
#include <halfstep/backend/cpu/loops.hpp>

#include "count_exponents_checks.hpp"

namespace hs = halfstep;
using count_exponents_checks::BruteForce;
using count_exponents_checks::expect_equal;
using hs::ExponentCounts;
using hs::ExponentScale;
using hs::Index;
using hs::backend::CpuLoops;

namespace count_exponents_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(CpuLoops, CountExponents, numbers::Cases<hs::backend::CpuLoops>);
INSTANTIATE_TYPED_TEST_SUITE_P(Reference, CountExponents, numbers::Cases<Reference>);
}  // namespace count_exponents_checks

namespace {

template <class T>
class CountExponentsOnCpu : public testing::Test {};
TYPED_TEST_SUITE(CountExponentsOnCpu, numbers::StorageTypes);

TYPED_TEST(CountExponentsOnCpu, IsTheSameForAnyThreads) {
  const auto x = numbers::normal_numbers<TypeParam>(1000003, 1);
  numbers::expect_same_bits_for_any_threads([&] {
    ExponentCounts counts;
    CpuLoops::count_exponents(1000003, x.data(), {}, &counts);
    return std::vector<ExponentCounts>{counts};
  });
}

TEST(ExponentKernel, CountsAlikeOnEveryInstructionSet) {
  using hs::backend::cpu::ExponentBlock;
  auto x = numbers::normal_numbers<float>(ExponentBlock::size, 3);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = 0.0f;
  const hs::backend::cpu::ExponentKernel kernel{0x00800000u + 77u, 0x1p-3f};
  for (const float extra : {0.0f, 2e-38f, 3e38f, 1e-40f, INFINITY, -INFINITY, NAN}) {
    x[500] = extra;
    BruteForce brute;
    for (const float value : x) brute.add(static_cast<double>(value), 1.0 + 77.0 * 0x1p-23, 0.0);
    for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
      SCOPED_TRACE(testing::Message() << hs::name(set) << ", " << extra);
      ExponentBlock block;
      hs::run_on(set, kernel, std::as_const(x).data(), block);
      EXPECT_EQ(block.regular, std::isfinite(extra) && extra != 1e-40f);
      if (!block.regular) continue;
      std::map<int, std::int64_t> exponents;
      for (int bin = block.first_bin; bin <= block.last_bin; ++bin)
        if (block.counts[bin] != 0) exponents[bin - 126] = block.counts[bin];
      EXPECT_EQ(exponents, brute.exponents);
      EXPECT_EQ(static_cast<double>(block.smallest), brute.smallest);
      EXPECT_EQ(static_cast<double>(block.largest), brute.largest);
      EXPECT_EQ(block.at_most_tiny,
                std::count_if(x.begin(), x.end(), [](float v) { return std::fabs(v) <= 0.125f; }));
    }
  }
}

/// Half the distance from |w| to the next number of T, computed from neighbours.
template <class T>
double half_an_ulp(T w) {
  if constexpr (std::is_same_v<T, float>) {
    const float magnitude = std::fabs(w);
    return (static_cast<double>(std::nextafter(magnitude, INFINITY)) - magnitude) / 2.0;
  } else {
    const auto bits = static_cast<std::uint16_t>(w.bits & 0x7FFFu);
    const auto next = T::from_bits(static_cast<std::uint16_t>(bits + 1));
    return (hs::storage_cast<double>(next) - hs::storage_cast<double>(T::from_bits(bits))) / 2.0;
  }
}

template <class T>
void expect_exact_updates(float weight_scale) {
  std::mt19937 generator(2);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> exponent(-30.0f, 2.0f);
  constexpr Index n = 70001;
  std::vector<float> before(n);
  std::vector<float> after(n);
  BruteForce brute;
  for (std::size_t i = 0; i < before.size(); ++i) {
    // Weights at and beside powers of two too, where rounding to T changes the exponent.
    before[i] = i % 7 == 0 ? 0.0f : weight_scale * normal(generator);
    if (i % 7 == 1) before[i] = weight_scale * std::exp2(std::floor(exponent(generator)));
    if (i % 7 == 2) before[i] = std::nextafter(before[i - 1], 0.0f);
    after[i] = i % 11 == 0
                   ? before[i]
                   : before[i] + weight_scale * normal(generator) * std::exp2(exponent(generator));
    const float update = after[i] - before[i];
    brute.add(static_cast<double>(update), 1.0, 0.0);
    if (update != 0.0f &&
        std::fabs(static_cast<double>(update)) < half_an_ulp(hs::storage_cast<T>(before[i])))
      ++brute.tiny;
  }
  hs::backend::cpu::ExponentTally tally{ExponentScale{}};
  hs::backend::cpu::count_updates(n, before.data(), after.data(),
                                  hs::backend::cpu::StoredPrecision::of<T>(), tally);
  ExponentCounts counts;
  tally.add_to(counts);
  expect_equal(counts, brute);
  EXPECT_GE(counts.tiny, hs::numeric_traits<T>::is_16_bit ? n / 100 : 0);
}

TEST(CountUpdates, CountsThoseBelowHalfAnUlpOfTheStoredWeightExactly) {
  for (const float weight_scale : {1.0f, 0x1p-10f, 0x1p-20f}) {
    SCOPED_TRACE(weight_scale);
    expect_exact_updates<float>(weight_scale);
    expect_exact_updates<hs::float16>(weight_scale);
    expect_exact_updates<hs::bfloat16>(weight_scale);
  }
}

}  // namespace
