#include <halfstep/backend/cpu/count_updates.hpp>
#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <map>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::ExponentCounts;
using hs::ExponentScale;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace {

/// Counts as a reader would: the library's own functions stand nowhere in it.
struct BruteForce {
  std::map<int, std::int64_t> exponents;
  std::int64_t zeros = 0;
  std::int64_t infinities = 0;
  std::int64_t nans = 0;
  std::int64_t tiny = 0;
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();

  void add(double x, double unit, double bound) {
    if (std::isnan(x)) {
      ++nans;
    } else if (std::isinf(x)) {
      ++infinities;
    } else {
      smallest = std::min(smallest, x);
      largest = std::max(largest, x);
      if (x == 0.0) {
        ++zeros;
        return;
      }
      // x / unit may round up to a power of two, and long doubles have the bits to see that.
      const long double quotient = static_cast<long double>(std::fabs(x)) / unit;
      int exponent = std::ilogb(quotient);
      if (std::scalbn(static_cast<long double>(unit), exponent) > std::fabs(x)) --exponent;
      ++exponents[exponent];
      if (quotient <= bound) ++tiny;
    }
  }
};

void expect_equal(const ExponentCounts& counts, const BruteForce& brute) {
  EXPECT_EQ(counts.zeros, brute.zeros);
  EXPECT_EQ(counts.infinities, brute.infinities);
  EXPECT_EQ(counts.nans, brute.nans);
  EXPECT_EQ(counts.tiny, brute.tiny);
  EXPECT_EQ(counts.smallest, brute.smallest);
  EXPECT_EQ(counts.largest, brute.largest);
  std::map<int, std::int64_t> exponents;
  for (int e = ExponentCounts::lowest; e <= ExponentCounts::highest; ++e)
    if (counts.at(e) != 0) exponents[e] = counts.at(e);
  EXPECT_EQ(exponents, brute.exponents);
}

constexpr ExponentScale scales[] = {
    {}, {65536.0, 0x1p-25}, {3.0, 0x1p-25}, {0x1.FFFFFEp-3, 0x1p-3}, {0x1.000002p20, 0x1p-25}};

template <class T>
void expect_both_backends_count(const std::vector<T>& x, const ExponentScale& scale) {
  SCOPED_TRACE(testing::Message() << x.size() << " numbers, unit " << scale.unit);
  BruteForce brute;
  for (const T value : x) brute.add(hs::storage_cast<double>(value), scale.unit, scale.tiny);
  const auto n = static_cast<Index>(x.size());
  ExponentCounts counts;
  CpuLoops::count_exponents(n, x.data(), scale, &counts);
  expect_equal(counts, brute);
  ExponentCounts of_reference;
  Reference::count_exponents(n, x.data(), scale, &of_reference);
  expect_equal(of_reference, brute);
}

template <class T>
class CountExponents : public testing::Test {};
TYPED_TEST_SUITE(CountExponents, numbers::StorageTypes);

TYPED_TEST(CountExponents, IsExactForNumbersOfEverySize) {
  using T = TypeParam;
  std::mt19937 generator(1);
  const double least = std::log2(hs::numeric_traits<T>::min_subnormal);
  const double most = std::log2(hs::numeric_traits<T>::max);
  std::uniform_real_distribution<double> exponent(least - 1.0, most);
  for (const Index n : {0, 1, 15, 1024, 1025, 70001}) {
    std::vector<T> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = hs::storage_cast<T>(
          i % 5 == 0 ? 0.0 : (i % 2 == 0 ? -1.0 : 1.0) * std::exp2(exponent(generator)));
    for (const ExponentScale& scale : scales) expect_both_backends_count(x, scale);
  }
}

TYPED_TEST(CountExponents, IsExactForGradientsAndActivations) {
  using T = TypeParam;
  auto x = numbers::normal_numbers<T>(200003, 1);  // regular blocks: the quick way
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = T{};
  for (const ExponentScale& scale : scales) expect_both_backends_count(x, scale);
  for (const float bad : {INFINITY, -INFINITY, NAN})
    for (const std::size_t at : {std::size_t{0}, std::size_t{1023}, x.size() - 1}) {
      auto spoilt = x;
      spoilt[at] = hs::storage_cast<T>(bad);
      expect_both_backends_count(spoilt, {});
    }
}

TYPED_TEST(CountExponents, IsTheSameForAnyThreads) {
  const auto x = numbers::normal_numbers<TypeParam>(1000003, 1);
  numbers::expect_same_bits_for_any_threads([&] {
    ExponentCounts counts;
    CpuLoops::count_exponents(1000003, x.data(), {}, &counts);
    return std::vector<ExponentCounts>{counts};
  });
}

TEST(CountExponentsOfFloats, AddsToWhatWasCounted) {
  const std::vector<float> x{1.0f, 0.0f, -4.0f};
  ExponentCounts counts;
  for (int i = 0; i < 2; ++i) CpuLoops::count_exponents(3, x.data(), {}, &counts);
  EXPECT_EQ(counts.at(0), 2);
  EXPECT_EQ(counts.at(2), 2);
  EXPECT_EQ(counts.zeros, 2);
}

TEST(CountExponents16Bits, IsExactForEveryPattern) {
  const auto check = [](auto type) {
    using T = decltype(type);
    std::vector<T> x;
    for (std::uint32_t bits = 0; bits < 0x10000u; ++bits)
      x.push_back(T::from_bits(static_cast<std::uint16_t>(bits)));
    for (const ExponentScale& scale : scales) expect_both_backends_count(x, scale);
  };
  check(hs::float16{});
  check(hs::bfloat16{});
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
