#include <halfstep/backend/cuda/convolution.hpp>
#include <halfstep/backend/grid/host_grid.hpp>

#include "convolution_checks.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

// How convolutions are divided between a library and products of windows, without a GPU.
namespace convolution_checks {
namespace {

using hs::ConvolutionPass;
using hs::ConvolutionProblem;
using hs::Index;
using hs::backend::DeterministicScope;
using hs::backend::HostGrid;
using hs::backend::grid::HostQueue;
using namespace hs::backend::cuda;

constexpr ConvolutionAlgorithm slow{true, false, 1}, quick{true, false, 2}, broken{true, false, 3},
    with_bias{true, true, 2};

/// To warm up, and to be timed.
constexpr std::ptrdiff_t runs_of_a_race = 1 + race_rounds * race_runs;

/// A library that writes down what it was asked for, and takes as long as it is told to.
struct Recording {
  static inline std::vector<ConvolutionAlgorithm> known;
  static inline std::map<int, double> time;  ///< of the algorithm of this number, 0: of windows
  static inline std::vector<int> asked, enqueued;
  static inline int last = 0;  ///< what ran last
  static inline int races = 0;

  static void start(std::vector<ConvolutionAlgorithm> algorithms, std::map<int, double> times) {
    known = std::move(algorithms);
    time = std::move(times);
    asked.clear();
    enqueued.clear();
    races = 0;
  }
  static std::vector<ConvolutionAlgorithm> algorithms(const ConvolutionKey& key) {
    asked.push_back(static_cast<int>(key.pass));
    std::vector<ConvolutionAlgorithm> able;
    for (const ConvolutionAlgorithm& each : known)
      if (!each.adds_bias || (key.bias && key.pass == ConvolutionPass::forward))
        able.push_back(each);
    return able;
  }
  static void enqueue(const ConvolutionKey& key, const ConvolutionAlgorithm& algorithm,
                      const ConvolutionArrays& arrays) {
    last = algorithm.number;
    enqueued.push_back(last);
    if (algorithm == broken) hs::fail<hs::BackendError>("broken");
    EXPECT_TRUE(arrays.bias == nullptr || algorithm.adds_bias);
    HostQueue::enqueue(Command{key, arrays});
  }
  static std::ptrdiff_t runs(int number) { return std::ranges::count(enqueued, number); }
  static inline std::string machine_name = "a machine";
  static std::string machine() { return machine_name; }
  template <class F>
  static double elapsed(const F& f) {
    last = 0;
    f();
    return time.at(last);
  }
  struct AtOnce : hs::backend::grid::Enqueue<hs::backend::grid::HostStream>::AtOnce {
    AtOnce() { ++races; }
  };

 private:
  struct Command {
    ConvolutionKey key;
    ConvolutionArrays arrays;
    void operator()(hs::backend::grid::HostStream) const {
      switch (key.storage) {
        case ConvolutionStorage::float32:
          return compute<float>(key, arrays);
        case ConvolutionStorage::float16:
          return compute<hs::float16>(key, arrays);
        case ConvolutionStorage::bfloat16:
          return compute<hs::bfloat16>(key, arrays);
      }
    }
  };

  /// The reference's convolution, of a weight with channels last where the images have them so.
  template <class S>
  static void compute(const ConvolutionKey& key, const ConvolutionArrays& arrays) {
    using Exact = hs::backend::Reference;
    const ConvolutionProblem& p = key.problem;
    const auto* const x = static_cast<const S*>(arrays.x);
    const auto* const y = static_cast<const S*>(arrays.y);
    const auto* const bias = static_cast<const S*>(arrays.bias);
    auto* const result = static_cast<S*>(arrays.result);
    std::vector<S> weight(static_cast<std::size_t>(p.weight_size()));
    const auto* const given =
        static_cast<const S*>(key.pass == ConvolutionPass::weight ? arrays.result : arrays.weight);
    for_each_weight(p,
                    [&](std::size_t plain, std::size_t inside) { weight[plain] = given[inside]; });
    switch (key.pass) {
      case ConvolutionPass::forward:
        return Exact::convolve<float>(p, x, std::as_const(weight).data(), bias, result,
                                      arrays.accumulate);
      case ConvolutionPass::data:
        return Exact::convolve_transposed<float>(p, y, std::as_const(weight).data(), bias, result,
                                                 arrays.accumulate);
      case ConvolutionPass::weight:
        Exact::convolve_weight<float>(p, x, y, weight.data(), arrays.accumulate);
        for_each_weight(
            p, [&](std::size_t plain, std::size_t inside) { result[inside] = weight[plain]; });
    }
  }
  template <class F>
  static void for_each_weight(const ConvolutionProblem& p, const F& f) {
    const Index channels = p.channels / p.groups, window = p.kernel.size();
    const bool last = p.layout == ImageLayout::channels_last;
    for (Index filter = 0; filter < p.filters; ++filter)
      for (Index channel = 0; channel < channels; ++channel)
        for (Index at = 0; at < window; ++at)
          f(static_cast<std::size_t>((filter * channels + channel) * window + at),
            static_cast<std::size_t>(filter * channels * window +
                                     (last ? at * channels + channel : channel * window + at)));
  }
};

using Backend = LibraryConvolutions<HostGrid, Recording>;

struct Arrays {
  explicit Arrays(const ConvolutionProblem& p)
      : x(hs::Shape{p.x_size()}), weight(hs::Shape{p.weight_size()}), y(hs::Shape{p.y_size()}) {
    std::fill_n(x.data(), x.size(), 1.0f);
    std::fill_n(weight.data(), weight.size(), 1.0f);
    std::fill_n(y.data(), y.size(), 0.0f);
  }
  void convolve(const ConvolutionProblem& p, bool accumulate = false) {
    Backend::convolve<float>(p, std::as_const(x).data(), std::as_const(weight).data(),
                             static_cast<const float*>(nullptr), y.data(), accumulate);
  }
  hs::Tensor<float> x, weight, y;
};

/// Of a width that no other call had: choices are kept.
ConvolutionProblem new_problem() {
  static Index width = 4;
  ++width;
  return {.channels = 2, .filters = 3, .input = {1, width}, .output = {1, width}};
}

TEST(ConvolutionRace, IsRunOnceAndTheFastestWins) {
  Recording::start({slow, quick}, {{0, 3.0}, {1, 2.0}, {2, 1.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  arrays.convolve(p);
  EXPECT_EQ(Recording::runs(1), runs_of_a_race);
  EXPECT_EQ(Recording::runs(2), runs_of_a_race + 1) << "the best is used";
  arrays.convolve(p);
  EXPECT_EQ(Recording::runs(1), runs_of_a_race);
  EXPECT_EQ(Recording::runs(2), runs_of_a_race + 2);
  EXPECT_EQ(Recording::asked.size(), 1u);
  EXPECT_EQ(arrays.y.data()[0], 2.0f);
}

TEST(ConvolutionRace, IsRunForEachProblemAndPassByItself) {
  Recording::start({quick}, {{0, 3.0}, {2, 1.0}});
  const ConvolutionProblem first = new_problem(), second = new_problem();
  for (const ConvolutionProblem& p : {first, second, first}) {
    Arrays arrays(p);
    arrays.convolve(p);
    Backend::convolve_weight<float>(p, std::as_const(arrays.x).data(),
                                    std::as_const(arrays.y).data(), arrays.weight.data(), false);
  }
  EXPECT_EQ(Recording::asked.size(), 4u);
}

TEST(ConvolutionRace, IsWonByProductsOfWindowsWhereTheyAreFaster) {
  Recording::start({slow}, {{0, 1.0}, {1, 2.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  arrays.convolve(p);
  EXPECT_EQ(Recording::runs(1), runs_of_a_race);
  EXPECT_EQ(arrays.y.data()[0], 2.0f);
}

TEST(ConvolutionRace, KeepsTheFirstOfEquals) {
  Recording::start({quick, slow}, {{0, 1.0}, {1, 1.0}, {2, 1.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  arrays.convolve(p);
  EXPECT_EQ(Recording::enqueued.back(), 2);
}

TEST(ConvolutionRace, LeavesOutWhatFails) {
  Recording::start({broken, slow}, {{0, 2.0}, {1, 1.0}, {3, 0.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  arrays.convolve(p);
  EXPECT_EQ(Recording::runs(3), 1) << "it was tried";
  EXPECT_EQ(Recording::enqueued.back(), 1);
}

TEST(ConvolutionRace, IsNotRunWhereTheLibraryHasNoAlgorithm) {
  Recording::start({}, {});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  arrays.convolve(p);
  EXPECT_EQ(arrays.y.data()[0], 2.0f);
  EXPECT_EQ(Recording::races, 0);
}

TEST(ConvolutionRace, IsNeverRunInADeterministicScope) {
  Recording::start({slow, quick}, {{0, 3.0}, {1, 2.0}, {2, 1.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  {
    const DeterministicScope scope;
    arrays.convolve(p);
    arrays.convolve(p);
  }
  EXPECT_EQ(Recording::enqueued, (std::vector<int>{1, 1})) << "the first that the library names";
  arrays.convolve(p);
  EXPECT_EQ(Recording::enqueued.back(), 2) << "outside of it there is a race";
}

TEST(ConvolutionRace, HasArraysOfItsOwn) {
  Recording::start({quick}, {{0, 3.0}, {2, 1.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  for (int call = 1; call <= 2; ++call) {
    arrays.convolve(p, true);
    EXPECT_EQ(arrays.y.data()[0], 2.0f * static_cast<float>(call)) << "added once a call";
  }
  EXPECT_EQ(Recording::races, 1);
}

TEST(ConvolutionRace, IsNotForDoublesNorForArraysThatTensorCoresCannotLoad) {
  Recording::start({quick}, {{0, 3.0}, {2, 1.0}});
  const ConvolutionProblem p = new_problem();
  const std::vector<double> wide(64, 1.0);
  std::vector<double> sums(static_cast<std::size_t>(p.y_size()));
  Backend::convolve<double>(p, wide.data(), wide.data(), static_cast<const double*>(nullptr),
                            sums.data(), false);
  EXPECT_EQ(sums[0], 2.0);
  const hs::Tensor<float> ones = [] {
    hs::Tensor<float> filled(hs::Shape{64});
    std::fill_n(filled.data(), 64, 1.0f);
    return filled;
  }();
  hs::Tensor<float> y(hs::Shape{p.y_size()});
  Backend::convolve<float>(p, ones.data() + 1, ones.data(), static_cast<const float*>(nullptr),
                           y.data(), false);
  EXPECT_EQ(std::as_const(y).data()[0], 2.0f);
  EXPECT_TRUE(Recording::asked.empty());
}

TEST(ConvolutionRace, FallsBackOnTheFirstWhereAllFail) {
  Recording::start({broken}, {{3, 0.0}});
  const ConvolutionProblem p = new_problem();
  ConvolutionKey key;
  key.problem = p;
  const auto none = [](const auto&) { return std::optional<ConvolutionAlgorithm>(); };
  EXPECT_EQ(ConvolutionRace<Recording>::shared().choose(key, none), broken);
}

TEST(ConvolutionRace, RunsAtOnceInAStepThatIsNoted) {
  Recording::start({quick}, {{0, 3.0}, {2, 1.0}});
  const ConvolutionProblem p = new_problem();
  Arrays arrays(p);
  HostGrid::StepGraphs graphs;
  for (int step = 0; step < 2; ++step)
    graphs.run([&] {
      HostGrid::clear(p.y_size(), arrays.y.data());
      const std::size_t before = Recording::enqueued.size();
      arrays.convolve(p);
      EXPECT_EQ(Recording::enqueued.size() - before,
                step == 0 ? 1u + static_cast<std::size_t>(runs_of_a_race) : 1u);
      return 0;
    });
  EXPECT_EQ(Recording::races, 1);
  EXPECT_EQ(std::as_const(arrays.y).data()[0], 2.0f);
}

TEST(ConvolutionRace, IsNotRunWhereATableOfTheSameMachineHasItsResult) {
  using Race = ConvolutionRace<Recording>;
  Recording::start({slow, quick}, {{0, 3.0}, {1, 2.0}, {2, 1.0}});
  ConvolutionKey key;
  key.problem = new_problem();
  key.problem.layout = ImageLayout::channels_last;
  key.pass = ConvolutionPass::data;
  key.bias = true;
  ConvolutionAlgorithm odd{true, true, 7, 3, 12345};
  Race other;
  other.choose(key, [&](const auto&) { return std::optional(odd); });
  const auto no_race = [](const auto&) {
    ADD_FAILURE() << "there is a race";
    return std::optional<ConvolutionAlgorithm>();
  };
  Race restored;
  restored.restore("a machine", other.words());
  EXPECT_EQ(restored.words(), other.words());
  EXPECT_EQ(restored.choose(key, no_race), odd);

  Race elsewhere;
  elsewhere.restore("another machine", other.words());
  EXPECT_TRUE(elsewhere.words().empty());
}

/// A library that is always faster; with a bias in the same pass, or without.
template <bool Bias>
struct Faster : Recording {
  static std::vector<ConvolutionAlgorithm> algorithms(const ConvolutionKey& key) {
    Recording::start({quick, with_bias}, {{0, 2.0}, {2, 1.0}});
    if (!Bias) known.pop_back();
    if (Bias) std::swap(known.front(), known.back());
    return Recording::algorithms(key);
  }
};
template <bool Bias>
using ByLibrary = LibraryConvolutions<HostGrid, Faster<Bias>>;

using OnLibrary = testing::Types<Case<ByLibrary<false>, float>, Case<ByLibrary<true>, hs::float16>,
                                 Case<ByLibrary<false>, hs::bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnLibrary, Convolution, OnLibrary);

}  // namespace
}  // namespace convolution_checks
