#include <halfstep/backend/reference.hpp>
#include <halfstep/data/from_memory.hpp>
#include <halfstep/data/loader.hpp>

#include "data/scratch_folder.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

namespace hs = halfstep;
namespace data = halfstep::data;
using hs::test::message_of;

namespace {

std::atomic<long> allocations{0};

}  // namespace

// Counts what the heap is asked for: a Loader in its steady state asks for nothing.
__attribute__((noinline)) void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

/// What a Loader needs of a Setup.
template <class Storage>
struct TestSetup {
  using Activation = Storage;
  using Reduction = float;
  using Backend = hs::backend::Reference;
};
using Plain = TestSetup<float>;

/// Sample i has features i and i + 0.5, and label i mod 3.
data::ClassificationSet counted(int size) {
  std::vector<double> x;
  std::vector<int> y;
  for (int i = 0; i < size; ++i) {
    x.push_back(i);
    x.push_back(i + 0.5);
    y.push_back(i % 3);
  }
  return data::from_memory(x, {size, 2}, y);
}

/// The samples' numbers, in the order of an epoch.
template <class L>
std::vector<int> epoch_of(L& loader) {
  std::vector<int> order;
  for (const auto& batch : loader)
    for (hs::Index i = 0; i < batch.size(); ++i)
      order.push_back(static_cast<int>(batch.x.value().span()[static_cast<std::size_t>(2 * i)]));
  return order;
}

std::vector<int> sorted(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<int> first_integers(int count) {
  std::vector<int> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

/// A user's own: two moons' points with a class.
struct Points {
  std::vector<std::array<float, 2>> points = {{0, 1}, {2, 3}, {4, 5}};
  struct Point {
    std::array<float, 2> features;
    bool label;
  };
  hs::Index size() const { return static_cast<hs::Index>(points.size()); }
  Point get(hs::Index i) const { return {points[static_cast<std::size_t>(i)], i == 1}; }
};

/// A user's own, that throws at one sample.
struct Throwing {
  int bad = 5;
  std::size_t size() const { return 8; }
  std::pair<std::vector<float>, int> get(hs::Index i) const {
    if (i == bad) hs::fail<hs::IoError>("cannot read image ", i);
    return {std::vector<float>{static_cast<float>(i), 0.0f}, 0};
  }
};

}  // namespace

TEST(Loader, GivesEverySampleOnceWithItsLabel) {
  const auto set = counted(10);
  std::vector<int> seen;
  std::vector<hs::Index> sizes;
  for (const auto& batch : data::Loader<Plain>(set, {.batch_size = 4, .seed = 1})) {
    sizes.push_back(batch.size());
    EXPECT_EQ(batch.x.shape(), (hs::Shape{batch.size(), 2}));
    EXPECT_EQ(batch.y.shape(), hs::Shape{batch.size()});
    for (hs::Index i = 0; i < batch.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const float x = batch.x.value().span()[2 * at];
      seen.push_back(static_cast<int>(x));
      EXPECT_EQ(batch.x.value().span()[2 * at + 1], x + 0.5f);
      EXPECT_EQ(batch.y.span()[at], static_cast<int>(x) % 3);
    }
  }
  EXPECT_EQ(sizes, (std::vector<hs::Index>{4, 4, 2}));
  EXPECT_EQ(sorted(seen), first_integers(10));
}

TEST(Loader, OrderDependsOnSeedAndEpochAndNothingElse) {
  const auto set = counted(100);
  data::Loader<Plain> loader(set, {.batch_size = 7, .seed = 1});
  const auto first = epoch_of(loader), second = epoch_of(loader);
  EXPECT_NE(first, second);
  EXPECT_NE(first, first_integers(100));
  EXPECT_EQ(sorted(second), first_integers(100));
  for (const hs::Index prefetch : {0, 1, 5}) {
    data::Loader<Plain> again(set, {.batch_size = 13, .seed = 1, .prefetch = prefetch});
    EXPECT_EQ(epoch_of(again), first);
    EXPECT_EQ(epoch_of(again), second);
    again.set_epoch(0);
    EXPECT_EQ(epoch_of(again), first);
  }
  data::Loader<Plain> other(set, {.batch_size = 7, .seed = 2});
  EXPECT_NE(epoch_of(other), first);
  data::Loader<Plain> plain(set, {.batch_size = 7, .shuffle = false});
  EXPECT_EQ(epoch_of(plain), first_integers(100));
}

TEST(Loader, KeepsOrDropsTheLastPartialBatch) {
  const auto set = counted(10);
  EXPECT_EQ(data::Loader<Plain>(set, {.batch_size = 4}).size(), 3);
  EXPECT_EQ(data::Loader<Plain>(set, {.batch_size = 5}).size(), 2);
  EXPECT_EQ(data::Loader<Plain>(set, {.batch_size = 99}).size(), 1);
  data::Loader<Plain> dropping(set, {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(dropping.size(), 2);
  EXPECT_EQ(epoch_of(dropping).size(), 8u);
}

TEST(Loader, CastsToTheActivationTypeRoundingOnce) {
  const std::vector<double> x = {1.0 + 0x1p-9, 1.0 + 0x1p-7 + 0x1p-12};
  const auto set = data::from_memory(x, {1, 2}, std::vector<int>{0});
  for (const auto& batch : data::Loader<TestSetup<hs::bfloat16>>(set)) {
    EXPECT_EQ(batch.x.value().span()[0], hs::bfloat16(1.0f));
    EXPECT_EQ(batch.x.value().span()[1], hs::bfloat16(1.0f + 0x1p-7f));
  }
  for (const auto& batch : data::Loader<TestSetup<hs::float16>>(set))
    EXPECT_EQ(batch.x.value().span()[0], hs::float16(1.0f + 0x1p-9f));
  for (const auto& batch : data::Loader<TestSetup<double>>(set))
    EXPECT_EQ(batch.x.value().span()[0], 1.0 + 0x1p-9);
}

TEST(Loader, BatchesOfARegressionSetHaveTargets) {
  const std::vector<float> x = {1, 2, 3}, y = {10, 11, 20, 21, 30, 31};
  const auto set = data::from_memory(x, {3}, y);
  for (const auto& batch : data::Loader<Plain, data::Targets>(set, {.shuffle = false})) {
    EXPECT_EQ(batch.x.shape(), (hs::Shape{3, 1}));
    EXPECT_EQ(batch.y.shape(), (hs::Shape{3, 2}));
    EXPECT_EQ(batch.y.span()[3], 21.0f);
  }
  for (const auto& batch : data::loader_for<Plain>(set)) EXPECT_EQ(batch.y.shape()[1], 2);
}

TEST(Loader, GivesImagesTheirShape) {
  const auto set = counted(4).reshaped({1, 1, 2});
  for (const auto& batch : data::Loader<Plain>(set, {.batch_size = 4}))
    EXPECT_EQ(batch.x.shape(), (hs::Shape{4, 1, 1, 2}));
}

TEST(Loader, TakesAnyTypeWithSizeAndGet) {
  const Points points;
  std::vector<int> labels;
  for (const auto& batch : data::Loader<Plain>(points, {.batch_size = 2, .shuffle = false}))
    labels.insert(labels.end(), batch.y.span().begin(), batch.y.span().end());
  EXPECT_EQ(labels, (std::vector<int>{0, 1, 0}));
  // A temporary is moved in.
  data::Loader<Plain> owning(Points{}, {.batch_size = 3, .shuffle = false});
  for (const auto& batch : owning) EXPECT_EQ(batch.x.value().span()[5], 5.0f);
}

TEST(Loader, TakesBytesAndSingleNumbers) {
  struct Bytes {
    hs::Index size() const { return 2; }
    std::pair<std::vector<std::uint8_t>, double> get(hs::Index i) const {
      return {{static_cast<std::uint8_t>(i), 255}, 0.5};
    }
  };
  for (const auto& batch : data::Loader<Plain, data::Targets>(Bytes{}, {.shuffle = false})) {
    EXPECT_EQ(batch.x.value().span()[3], 255.0f);
    EXPECT_EQ(batch.y.shape(), (hs::Shape{2, 1}));
    EXPECT_EQ(batch.y.span()[1], 0.5f);
  }
}

TEST(Loader, WhatGetThrowsReachesTheLoopInItsPlace) {
  for (const hs::Index prefetch : {0, 1, 3}) {
    Throwing set;
    data::Loader<Plain> loader(set, {.batch_size = 2, .shuffle = false, .prefetch = prefetch});
    int batches = 0;
    EXPECT_EQ(message_of<hs::IoError>([&] {
                for (const auto& batch : loader) batches += batch.size() == 2;
              }),
              "cannot read image 5");
    EXPECT_EQ(batches, 2) << "batches before it are given";
    set.bad = -1;
    EXPECT_EQ(epoch_of(loader).size(), 8u) << "the next epoch begins anew";
  }
}

TEST(Loader, SamplesThatDiffersFromTheFirstAreErrors) {
  struct Ragged {
    hs::Index size() const { return 3; }
    std::pair<std::vector<float>, int> get(hs::Index i) const {
      return {std::vector<float>(i == 2 ? 4 : 3), 0};
    }
  };
  data::Loader<Plain> ragged(Ragged{});
  EXPECT_EQ(message_of<hs::ShapeError>([&] { ragged.begin(); }),
            "Loader: sample 2 has 4 features, and 3 were expected");
  struct Outside {
    hs::Index size() const { return 3; }
    hs::Index classes() const { return 3; }
    std::pair<float, int> get(hs::Index i) const { return {0.0f, i == 1 ? 3 : 0}; }
  };
  data::Loader<Plain> outside(Outside{});
  EXPECT_EQ(message_of<hs::DataError>([&] { outside.begin(); }),
            "Loader: label 3 of sample 1 is not one of the 3 classes, 0 to 2");
}

TEST(Loader, LeavingALoopEarlyEndsItsThread) {
  const auto set = counted(1000);
  for (int i = 0; i < 50; ++i) {
    for (const auto& batch : data::Loader<Plain>(set, {.batch_size = 1, .prefetch = 3}))
      if (batch.y.span()[0] == 1) break;
  }
  data::Loader<Plain> loader(set, {.batch_size = 10, .seed = 4});
  const auto first = epoch_of(loader);
  const auto second = epoch_of(loader);
  loader.set_epoch(0);
  for (const auto& batch : loader) {
    EXPECT_EQ(batch.size(), 10);
    break;
  }
  EXPECT_EQ(epoch_of(loader), second) << "a loop after a break is the next epoch, whole";
}

TEST(Loader, GoesOnFromAPosition) {
  const auto set = counted(20);
  data::Loader<Plain> loader(set, {.batch_size = 6, .seed = 3});
  epoch_of(loader);
  EXPECT_EQ(loader.position(), (data::LoaderPosition{1, 0}));
  const auto second = epoch_of(loader);
  loader.set_epoch(1);
  int count = 0;
  data::LoaderPosition stopped;
  for ([[maybe_unused]] const auto& batch : loader) {
    stopped = loader.position();
    if (++count == 3) break;
  }
  EXPECT_EQ(stopped, (data::LoaderPosition{1, 2}));
  data::Loader<Plain> resumed(set, {.batch_size = 6, .seed = 3});
  resumed.set_position(stopped);
  EXPECT_EQ(epoch_of(resumed), (std::vector<int>{second.begin() + 12, second.end()}));
  EXPECT_EQ(resumed.position(), (data::LoaderPosition{2, 0}));
}

TEST(Loader, ABatchThatIsHeldStaysAsItIs) {
  const auto set = counted(12);
  std::vector<data::Batch<Plain>> held;
  std::vector<std::vector<float>> values;
  for (const auto& batch : data::Loader<Plain>(set, {.batch_size = 3})) {
    held.push_back(batch);
    values.emplace_back(batch.x.value().span().begin(), batch.x.value().span().end());
  }
  for (std::size_t i = 0; i < held.size(); ++i)
    EXPECT_TRUE(std::equal(values[i].begin(), values[i].end(), held[i].x.value().span().begin()));
}

TEST(Loader, SteadyStateAsksTheHeapAndThePoolForNothing) {
  const auto set = counted(4096);
  for (const hs::Index prefetch : {0, 2}) {
    data::Loader<Plain> loader(set, {.batch_size = 64, .prefetch = prefetch});
    epoch_of(loader);
    int batches = 0;
    long before = 0;
    std::size_t requests = 0;
    for (const auto& batch : loader) {
      if (++batches == 10) {
        before = allocations;
        requests = hs::device::Cpu::pool().use().system_requests;
      }
      ASSERT_EQ(batch.size(), 64);
      if (batches == 60) {
        EXPECT_EQ(allocations, before) << "prefetch " << prefetch;
        EXPECT_EQ(hs::device::Cpu::pool().use().system_requests, requests);
      }
    }
    EXPECT_EQ(batches, 64);
  }
}

TEST(Loader, SettingsThatLeaveNothingToDoAreErrors) {
  const auto set = counted(3);
  const auto make = [&](data::LoaderSettings settings) { data::Loader<Plain>(set, settings); };
  EXPECT_EQ(message_of<hs::ShapeError>([&] { make({.batch_size = 0}); }),
            "Loader: batch_size is 0; it must be at least 1");
  EXPECT_THROW(make({.batch_size = -1}), hs::ShapeError);
  EXPECT_THROW(make({.prefetch = -1}), hs::DataError);
  EXPECT_NE(message_of<hs::DataError>([&] {
              make({.batch_size = 4, .drop_last = true});
            }).find("drop_last leaves no batch of 4 from 3 samples"),
            std::string::npos);
  Points none;
  none.points.clear();
  EXPECT_NE(message_of<hs::DataError>([&] { data::Loader<Plain> loader(none); }).find("empty"),
            std::string::npos);
}

TEST(Loader, DatasetsSayWhetherTheyHaveLabelsOrTargets) {
  static_assert(std::is_same_v<data::AnswersOf<Points>, data::Labels>);
  static_assert(std::is_same_v<data::AnswersOf<data::ClassificationSet>, data::Labels>);
  static_assert(std::is_same_v<data::AnswersOf<data::RegressionSet>, data::Targets>);
  static_assert(data::Dataset<Throwing> && !data::Dataset<std::vector<float>>);
}
