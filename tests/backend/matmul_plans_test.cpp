#include "data/scratch_folder.hpp"

#include <halfstep/backend/cuda/matmul_plans.hpp>
#include <halfstep/backend/cuda/visit_plans.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

namespace halfstep::test {
namespace {

using namespace backend::cuda;
using backend::DeterministicScope;

/// cuBLASLt and its clock, on paper: algorithm i of a key, numbered in its first word, takes the
/// time that the test says, adds 1 to a C that is added to, else sets it to 1.
struct Recorded {
  static inline std::map<Epilogue, int> named;  ///< how many algorithms an epilogue has
  static inline std::map<std::int64_t, double> time;
  static inline std::set<std::int64_t> failing, refused;
  static inline std::string gpu;
  static inline int races = 0, products = 0;
  static inline std::vector<std::int64_t> multiplied;  ///< by which algorithms, outside races
  static inline std::vector<bool> fused;               ///< whether with an epilogue
  static inline double now = 0.0;

  static void start() {
    named = {{Epilogue::none, 3}};
    time.clear(), failing.clear(), refused.clear();
    gpu = "this GPU";
    races = products = 0;
    multiplied.clear(), fused.clear();
  }

  static std::vector<MatmulAlgorithm> candidates(const MatmulKey& key) {
    std::vector<MatmulAlgorithm> algorithms;
    for (int i = 0; i < named[key.epilogue]; ++i) algorithms.push_back({{number(key.epilogue, i)}});
    return algorithms;
  }
  static bool accepts(const MatmulKey&, const MatmulAlgorithm& algorithm) {
    return !refused.contains(algorithm.words[0]);
  }
  static bool try_multiply(const MatmulCall& call, const MatmulAlgorithm& algorithm) {
    ++products;
    if (failing.contains(algorithm.words[0])) return false;
    const auto found = time.find(algorithm.words[0]);
    now += found == time.end() ? 10.0 : found->second;
    float* const c = static_cast<float*>(call.c);
    for (Index i = 0; i < call.key.m * call.key.n; ++i)
      c[i] = call.key.accumulate ? c[i] + 1.0f : 1.0f;
    return true;
  }
  static void multiply(const MatmulCall& call, const MatmulAlgorithm& algorithm) {
    multiplied.push_back(algorithm.words[0]);
    fused.push_back(call.key.epilogue != Epilogue::none);
    try_multiply(call, algorithm);
  }
  struct Race {
    Race() { ++races; }
  };
  template <class F>
  static double elapsed(const F& f) {
    const double start = now;
    f();
    return now - start;
  }
  struct Scratch {
    std::vector<float> memory;
    void* data() { return memory.data(); }
  };
  static Scratch scratch(std::size_t bytes) { return {std::vector<float>(bytes / sizeof(float))}; }
  static std::string machine() { return gpu; }

  /// Of separate products 0, 1, ...; of fused ones 100, 101, ...
  static std::int64_t number(Epilogue epilogue, int i) {
    return (epilogue == Epilogue::none ? 0 : 100) + i;
  }
};
using Plans = MatmulPlans<Recorded>;

struct NoPasses {
  void operator()(bool, void*, void*) const {}
};

class MatmulPlansTest : public testing::Test {
 protected:
  MatmulPlansTest() { Recorded::start(); }

  MatmulCall call(Index m, Epilogue epilogue = Epilogue::none) {
    MatmulCall call;
    call.key.m = m, call.key.n = 8, call.key.k = 8;
    call.key.epilogue = epilogue;
    call.key.deterministic = DeterministicScope::active();
    c_.assign(static_cast<std::size_t>(m * 8), 5.0f);
    call.c = c_.data();
    return call;
  }
  std::int64_t chosen(const MatmulCall& call) {
    plans_.run(call, {}, NoPasses());
    return Recorded::multiplied.back();
  }

  Plans plans_;
  std::vector<float> c_;
};

TEST_F(MatmulPlansTest, RacesEachKeyOnce) {
  for (int step = 0; step < 3; ++step)
    for (const Index m : {16, 24}) chosen(call(m));
  EXPECT_EQ(Recorded::races, 2);
  EXPECT_EQ(plans_.size(), 2u);
  EXPECT_EQ(Recorded::multiplied.size(), 6u) << "and multiplies once each time";
  auto transposed = call(16);
  transposed.key.transpose_b = true;
  chosen(transposed);
  EXPECT_EQ(Recorded::races, 3);
}

TEST_F(MatmulPlansTest, ChoosesTheFastestAndOfEqualsTheFirst) {
  Recorded::time = {{0, 3.0}, {1, 2.0}, {2, 2.0}};
  EXPECT_EQ(chosen(call(16)), 1);
}

TEST_F(MatmulPlansTest, RacesTheFusedEpilogueAgainstSeparatePasses) {
  Recorded::named[Epilogue::gelu_backward] = 2;
  Recorded::time = {{0, 3.0}, {1, 4.0}, {2, 5.0}, {100, 6.0}, {101, 5.0}};
  for (const double pass : {1.0, 2.0, 4.0}) {
    Plans plans;
    std::vector<bool> finished;
    const auto passes = [&](bool fused, void*, void*) {
      finished.push_back(fused);
      if (!fused) Recorded::now += pass;
    };
    plans.run(call(16, Epilogue::gelu_backward), {}, passes);
    // Equal times: the fused one stands first.
    const bool fused = pass >= 2.0;
    EXPECT_EQ(Recorded::multiplied.back(), fused ? 101 : 0) << pass;
    EXPECT_EQ(Recorded::fused.back(), fused);
    EXPECT_EQ(finished.back(), fused) << "the passes know what is left to them";
  }
}

TEST_F(MatmulPlansTest, TakesTheFirstWayWithoutARaceWhereBitsMustStay) {
  Recorded::named[Epilogue::gelu_backward] = 1;
  Recorded::time = {{0, 9.0}, {1, 1.0}, {2, 1.0}, {100, 99.0}};
  {
    const DeterministicScope scope;
    EXPECT_EQ(chosen(call(16)), 0);
    EXPECT_EQ(chosen(call(16, Epilogue::gelu_backward)), 100);
    EXPECT_EQ(chosen(call(16, Epilogue::sums_of_a)), 0) << "no such epilogue: separate passes";
  }
  EXPECT_EQ(Recorded::races, 0);
  EXPECT_EQ(Recorded::products, 3);
  EXPECT_EQ(chosen(call(16)), 1) << "a plan of the scope is no plan outside";
  EXPECT_EQ(Recorded::races, 1);
}

TEST_F(MatmulPlansTest, AddsABiasToWhatIsStoredInSixteenBitsOnlyForWantOfAnother) {
  auto with_bias = call(16);
  with_bias.key.bias = true;
  std::vector<bool> way;
  const auto passes = [&](bool fused, void*, void*) {
    way.push_back(fused);
    if (fused) Recorded::now += 100.0;
  };
  plans_.run(with_bias, {}, passes);
  EXPECT_FALSE(way.back()) << "the slower one is raced, and loses";
  with_bias.key.out = MatmulNumber::bfloat16;
  plans_.run(with_bias, {}, passes);
  EXPECT_TRUE(way.back()) << "it would round twice";
}

TEST_F(MatmulPlansTest, LeavesOutWaysThatFail) {
  Recorded::time = {{0, 1.0}, {1, 3.0}, {2, 2.0}};
  Recorded::failing = {0};
  EXPECT_EQ(chosen(call(16)), 2);
  Recorded::failing = {0, 1, 2};
  const std::string none = message_of<BackendError>([&] { chosen(call(24)); });
  EXPECT_NE(none.find("cuBLASLt knows no way to multiply [24, 8] by [8, 8] on this GPU: each of "
                      "the 3 that it names fails"),
            std::string::npos)
      << none;
  Recorded::named.clear();
  EXPECT_THROW(chosen(call(32)), BackendError);
  EXPECT_EQ(plans_.size(), 1u) << "what failed is no plan";
}

TEST_F(MatmulPlansTest, ARaceAddsNothingTwice) {
  auto added = call(2);
  added.key.accumulate = true;
  added.beta = 1.0;
  std::vector<float> bias(8, 7.0f);
  const auto passes = [&](bool, void* c, void* sums) {
    static_cast<float*>(c)[0] += 10.0f;
    static_cast<float*>(sums)[0] += 1.0f;
  };
  plans_.run(added, {bias.data(), bias.size() * sizeof(float), true}, passes);
  EXPECT_EQ(Recorded::races, 1);
  EXPECT_EQ(c_[0], 5.0f + 1.0f + 10.0f);
  EXPECT_EQ(c_[15], 5.0f + 1.0f);
  EXPECT_EQ(bias[0], 7.0f + 1.0f);
}

TEST_F(MatmulPlansTest, WarmsUpAndLetsWaysTakeTurns) {
  std::vector<int> order;
  const std::vector<int> ways = {1, 2, 3};
  const auto best = fastest<Recorded>(ways, [&](int way) {
    order.push_back(way);
    if (way == 2) return false;
    // The first run of each is slow, and so is all that runs in the first round.
    Recorded::now += order.size() < 8 ? 50.0 : way;
    return true;
  });
  EXPECT_EQ(best, 1);
  const std::vector<int> start(order.begin(), order.begin() + 7);
  EXPECT_EQ(start, (std::vector<int>{1, 2, 3, 1, 1, 3, 3}));
  EXPECT_EQ(order.size(), 3u + 2u * race_rounds * race_runs);
}

TEST_F(MatmulPlansTest, ASavedTableGivesTheSamePlansWithoutARace) {
  Recorded::named[Epilogue::gelu_backward] = 2;
  Recorded::time = {{0, 9.0}, {1, 2.0}, {100, 9.0}, {101, 1.0}};
  chosen(call(16));
  chosen(call(16, Epilogue::gelu_backward));
  const auto saved = plans_.words();
  EXPECT_EQ(saved.size(), 2 * Plans::words_of_a_plan);

  Recorded::time = {{1, 50.0}, {101, 50.0}};  // another race would end otherwise
  Plans other;
  other.run(call(24), {}, NoPasses());
  other.restore("this GPU", saved);
  EXPECT_EQ(Recorded::races, 3);
  other.run(call(16), {}, NoPasses());
  EXPECT_EQ(Recorded::multiplied.back(), 1);
  other.run(call(16, Epilogue::gelu_backward), {}, NoPasses());
  EXPECT_EQ(Recorded::multiplied.back(), 101);
  EXPECT_TRUE(Recorded::fused.back());
  EXPECT_EQ(Recorded::races, 3);
  EXPECT_EQ(other.size(), 3u) << "what the table does not know stays";
}

TEST_F(MatmulPlansTest, ATableOfAnotherGpuOrOfNonsenseIsNone) {
  Recorded::time = {{0, 9.0}, {1, 2.0}};
  chosen(call(16));
  const auto saved = plans_.words();
  auto cut = saved;
  cut.pop_back();
  Plans other;
  other.restore("another GPU", saved);
  other.restore("this GPU", cut);
  EXPECT_EQ(other.size(), 0u);
  // Of this GPU, but what stands there cuBLASLt does not take: a race finds another way.
  other.restore("this GPU", saved);
  Recorded::refused = {1};
  Recorded::time = {{2, 1.0}};
  other.run(call(16), {}, NoPasses());
  EXPECT_EQ(Recorded::multiplied.back(), 2);
}

/// A visitor that keeps what it is shown, and later shows that in its place.
struct File {
  std::map<std::string, std::vector<std::int64_t>> words;
  std::map<std::string, std::vector<std::uint8_t>> bytes;

  auto save() {
    return [this]<class T, class D>(const std::string& name, Tensor<T, D>& tensor) {
      held<T>()[name] = {tensor.span().begin(), tensor.span().end()};
    };
  }
  auto load() {
    return [this]<class T, class D>(const std::string& name, Tensor<T, D>& tensor) {
      const std::vector<T>& values = held<T>()[name];
      tensor = Tensor<T, D>::from(values, Shape{static_cast<Index>(values.size())});
    };
  }

 private:
  template <class T>
  auto& held() {
    if constexpr (std::is_same_v<T, std::int64_t>)
      return words;
    else
      return bytes;
  }
};

TEST_F(MatmulPlansTest, AVisitorSavesAndRestoresTheTable) {
  Recorded::time = {{0, 9.0}, {1, 2.0}};
  File empty, file;
  visit_plans<backend::Reference>(plans_, empty.save());
  chosen(call(16));
  chosen(call(24));
  visit_plans<backend::Reference>(plans_, file.save());
  EXPECT_EQ(file.words["products"], plans_.words());
  EXPECT_EQ(std::string(file.bytes["machine"].begin(), file.bytes["machine"].end()), "this GPU");

  Plans other;
  visit_plans<backend::Reference>(other, file.load());
  EXPECT_EQ(other.words(), plans_.words());
  visit_plans<backend::Reference>(other, empty.load());
  EXPECT_EQ(other.size(), 2u) << "a shorter table takes nothing away";

  Recorded::gpu = "another GPU";
  Plans elsewhere;
  visit_plans<backend::Reference>(elsewhere, file.load());
  EXPECT_EQ(elsewhere.size(), 0u);
}

TEST(MatmulKey, IsFusedWhereCublasTakesTheLayout) {
  MatmulKey key;
  key.m = 4, key.n = 16, key.k = 8;
  EXPECT_FALSE(key.fusable()) << "nothing to fuse";
  key.bias = true;
  EXPECT_TRUE(key.fusable());
  key.epilogue = Epilogue::gelu;
  key.before = true;
  EXPECT_TRUE(key.fusable());
  for (const auto change : {+[](MatmulKey& k) { k.n = 12; }, +[](MatmulKey& k) { k.batch = 2; },
                            +[](MatmulKey& k) { k.alignment_before = 8; },
                            +[](MatmulKey& k) { k.in = MatmulNumber::float64; }}) {
    MatmulKey other = key;
    change(other);
    EXPECT_FALSE(other.fusable());
    EXPECT_FALSE(other == key);
  }
}

TEST(MatmulKey, ASeparateGeluIsOfWhatAProductWithABiasWroteBefore) {
  MatmulCall call;
  float c = 0.0f, before = 0.0f;
  call.c = &c, call.before = &before;
  call.key.epilogue = Epilogue::gelu;
  call.key.bias = call.key.before = true;
  call.key.alignment_before = 4;
  const MatmulCall separate = call.separate();
  EXPECT_EQ(separate.c, &before);
  EXPECT_EQ(separate.key.alignment_c, 4);
  EXPECT_TRUE(separate.key.bias);
  EXPECT_EQ(separate.key.epilogue, Epilogue::none);

  call.key.epilogue = Epilogue::gelu_backward;
  EXPECT_EQ(call.separate().c, &c);
  EXPECT_FALSE(call.separate().key.bias) << "the bias gradient is summed afterwards";
}

TEST(MatmulKey, KnowsAlignmentsTruly) {
  for (const std::uintptr_t address : {4096u, 4098u, 4100u, 4104u, 4112u}) {
    const unsigned largest = alignment_of(reinterpret_cast<const void*>(address));
    EXPECT_EQ(address % largest, 0u);
    EXPECT_TRUE(largest == 16 || address % (2 * largest) != 0) << address;
  }
  EXPECT_EQ(alignment_of(nullptr), 16);
}

TEST(DeterministicScope, EndsWithItsBlockAndNests) {
  EXPECT_FALSE(DeterministicScope::active());
  {
    const DeterministicScope outer;
    {
      const DeterministicScope off(false);
      EXPECT_TRUE(DeterministicScope::active()) << "nobody inside can promise less";
    }
    EXPECT_TRUE(DeterministicScope::active());
  }
  EXPECT_FALSE(DeterministicScope::active());
}

}  // namespace
}  // namespace halfstep::test
