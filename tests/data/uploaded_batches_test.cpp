#include "data/two_queues.hpp"

#include <halfstep/backend/test_device.hpp>
#include <halfstep/data/from_memory.hpp>
#include <halfstep/data/loader.hpp>

#include "data/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace halfstep::test {
namespace {

using Eager = TwoQueues::Eager;
using Calls = std::vector<std::string>;
constexpr Eager schedules[] = {Eager::none, Eager::upload, Eager::compute};

template <class B>
struct SetupOf {
  using Activation = float;
  using Reduction = float;
  using Backend = B;
};
using Queued = SetupOf<QueuedBackend>;
using OnHost = SetupOf<backend::Reference>;

/// Sample i has features i and i + 0.5, and label i mod 3.
data::ClassificationSet counted(int size) {
  std::vector<double> x;
  std::vector<int> y;
  for (int i = 0; i < size; ++i) {
    x.insert(x.end(), {i + 0.0, i + 0.5});
    y.push_back(i % 3);
  }
  return data::from_memory(x, {size, 2}, y);
}

/// What steps on the device have read, each written down when its queue comes to it.
using Read = std::shared_ptr<std::vector<float>>;
void step(const data::Batch<Queued>& batch, const Read& read) {
  const auto size = static_cast<std::size_t>(batch.size());
  TwoQueues& queues = TwoQueues::shared();
  queues.add(queues.compute(), [=, x = batch.x.value().data(), y = batch.y.data()] {
    read->insert(read->end(), x, x + 2 * size);
    read->insert(read->end(), y, y + size);
  });
}
void step(const data::Batch<OnHost>& batch, const Read& read) {
  const auto x = batch.x.value().span();
  read->insert(read->end(), x.begin(), x.end());
  read->insert(read->end(), batch.y.span().begin(), batch.y.span().end());
}

/// Two epochs, one that is left after two batches, and one from the middle.
template <class S>
std::vector<float> read_by_a_run(const data::ClassificationSet& set, Index prefetch) {
  const auto read = std::make_shared<std::vector<float>>();
  {
    data::Loader<S> loader(set, {.batch_size = 4, .seed = 7, .prefetch = prefetch});
    for (int epoch = 0; epoch < 2; ++epoch)
      for (const auto& batch : loader) step(batch, read);
    int count = 0;
    for (const auto& batch : loader) {
      step(batch, read);
      if (++count == 2) break;
    }
    loader.set_position({3, 3});
    for (const auto& batch : loader) step(batch, read);
    for (const auto& batch : loader) {
      step(batch, read);
      break;  // and the loader ends in the middle of an epoch
    }
  }
  TwoQueues::shared().finish();
  return *read;
}

std::vector<const float*> addresses_of_an_epoch(data::Loader<Queued>& loader) {
  std::vector<const float*> addresses;
  for (const auto& batch : loader) addresses.push_back(batch.x.value().data());
  return addresses;
}

TEST(UploadedBatches, AreWhatTheHostsAreHoweverTheQueuesRun) {
  const auto set = counted(30);
  for (const Index prefetch : {0, 1, 2, 5}) {
    const auto expected = read_by_a_run<OnHost>(set, prefetch);
    for (const Eager eager : schedules) {
      TwoQueues::shared().start(eager);
      EXPECT_EQ(read_by_a_run<Queued>(set, prefetch), expected)
          << "prefetch " << prefetch << ", schedule " << static_cast<int>(eager);
      EXPECT_EQ(TwoQueues::shared().faults(), Calls{});
    }
  }
}

TEST(UploadedBatches, LieInTurnAtTheSameAddresses) {
  TwoQueues::shared().start(Eager::none);
  const auto set = counted(42);
  data::Loader<Queued> loader(set, {.batch_size = 4, .seed = 1, .prefetch = 2});
  const auto first = addresses_of_an_epoch(loader);
  ASSERT_EQ(first.size(), 11u);
  for (std::size_t i = 3; i < first.size(); ++i) EXPECT_EQ(first[i], first[i - 3]);
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first[1], first[2]);
  EXPECT_NE(first[2], first[0]);
  const std::size_t requests = QueuedMemory::pool().use().system_requests;
  EXPECT_EQ(addresses_of_an_epoch(loader), first) << "the next epoch begins at the same place";
  EXPECT_EQ(QueuedMemory::pool().use().system_requests, requests);
  EXPECT_EQ(TwoQueues::shared().streams(), 1u);
}

TEST(UploadedBatches, ASmallerLastOneHasItsOwnShape) {
  TwoQueues::shared().start(Eager::none);
  std::vector<Index> sizes;
  for (const auto& batch : data::Loader<Queued>(counted(10), {.batch_size = 4})) {
    sizes.push_back(batch.size());
    EXPECT_EQ(batch.x.shape(), (Shape{batch.size(), 2}));
    EXPECT_EQ(batch.y.shape(), Shape{batch.size()});
  }
  EXPECT_EQ(sizes, (std::vector<Index>{4, 4, 2}));
}

TEST(UploadedBatches, OneThatIsKeptStaysAsItIs) {
  const auto set = counted(40);
  for (const Eager eager : schedules) {
    TwoQueues::shared().start(eager);
    std::vector<data::Batch<Queued>> kept;
    const auto during = std::make_shared<std::vector<float>>();
    const auto after = std::make_shared<std::vector<float>>();
    {
      data::Loader<Queued> loader(set, {.batch_size = 4, .seed = 2});
      for (int epoch = 0; epoch < 2; ++epoch)
        for (const auto& batch : loader) {
          step(batch, during);
          kept.push_back(batch);
        }
    }
    for (const auto& batch : kept) step(batch, after);
    TwoQueues::shared().finish();
    EXPECT_EQ(*after, *during) << "schedule " << static_cast<int>(eager);
    EXPECT_EQ(TwoQueues::shared().faults(), Calls{});
  }
}

TEST(UploadedBatches, ItsFeaturesOrItsLabelsMayBeKeptAlone) {
  TwoQueues::shared().start(Eager::none);
  std::vector<decltype(data::Batch<Queued>::x)> kept_x;
  std::vector<decltype(data::Batch<Queued>::y)> kept_y;
  for (const auto& batch :
       data::Loader<Queued>(counted(24), {.batch_size = 4, .shuffle = false, .prefetch = 1})) {
    if (batch.next.batch % 2 == 0)
      kept_x.push_back(batch.x);
    else
      kept_y.push_back(batch.y);
  }
  TwoQueues::shared().finish();
  // Batches 1, 3 and 5, whose next is even or the next epoch's first; and 0, 2 and 4.
  ASSERT_EQ(kept_x.size(), 3u);
  ASSERT_EQ(kept_y.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(kept_x[i].value().data()[0], static_cast<float>(8 * i + 4));
    EXPECT_EQ(kept_y[i].data()[1], static_cast<int>((8 * i + 1) % 3));
  }
}

TEST(UploadedBatches, ATensorLetGoGivesItsSlotBack) {
  TwoQueues::shared().start(Eager::none);
  const auto set = counted(40);
  data::Loader<Queued> loader(set, {.batch_size = 4, .prefetch = 1});
  const auto usual = addresses_of_an_epoch(loader);
  data::Batch<Queued> kept;
  for (const auto& batch : loader)
    if (loader.position().batch == 2) kept = batch;
  const auto now = addresses_of_an_epoch(loader);
  EXPECT_EQ(now[1], usual[1]);
  EXPECT_NE(now[0], usual[0]) << "batch 2 was in slot 0, whose memory was kept";
  EXPECT_EQ(kept.x.value().data(), usual[0]);
  EXPECT_EQ(addresses_of_an_epoch(loader), now);
}

TEST(UploadedBatches, EachStepOfASlotWaitsForTheOneBefore) {
  TwoQueues::shared().start(Eager::none);
  const auto set = counted(20);
  {
    data::Loader<Queued> loader(set, {.batch_size = 4, .shuffle = false, .prefetch = 0});
    for (int epoch = 0; epoch < 2; ++epoch)
      for (const auto& batch : loader) EXPECT_EQ(batch.size(), 4);
  }
  // Features of 32 bytes and labels of 16.
  const auto made = [](std::string slot) {
    return Calls{"staging " + slot, "copy 32", "copy 16", "acquire " + slot, "release " + slot};
  };
  Calls expected{"release 0", "release 1"};
  for (const char* slot : {"0", "1", "0", "1", "0", "0", "1", "0", "1", "0"})
    for (const auto& call : made(slot)) expected.push_back(call);
  expected.pop_back();  // the loader ends with the last batch at hand
  expected.push_back("release 0");
  EXPECT_EQ(TwoQueues::shared().calls(), expected);
}

TEST(UploadedBatches, OnlyTheLoadersThreadWaits) {
  TwoQueues& queues = TwoQueues::shared();
  queues.start(Eager::none);
  queues.waits_of_owner = 0;
  const auto set = counted(100);
  data::Loader<Queued> loader(set, {.batch_size = 4});
  for (int epoch = 0; epoch < 3; ++epoch) addresses_of_an_epoch(loader);
  EXPECT_EQ(queues.waits_of_owner, 0);
}

TEST(UploadedBatches, WhatGetThrowsReachesTheLoopInItsPlace) {
  struct Throwing {
    int bad = 9;
    std::size_t size() const { return 16; }
    std::pair<std::vector<float>, int> get(Index i) const {
      if (i == bad) fail<IoError>("cannot read image ", i);
      return {std::vector<float>{static_cast<float>(i), 0.0f}, 0};
    }
  };
  for (const Index prefetch : {0, 2}) {
    TwoQueues::shared().start(Eager::none);
    Throwing set;
    data::Loader<Queued> loader(set, {.batch_size = 2, .shuffle = false, .prefetch = prefetch});
    const auto read = std::make_shared<std::vector<float>>();
    EXPECT_EQ(message_of<IoError>([&] {
                for (const auto& batch : loader) step(batch, read);
              }),
              "cannot read image 9");
    TwoQueues::shared().finish();
    ASSERT_EQ(read->size(), 4u * 6u) << "four batches before it were given";
    EXPECT_EQ(read->at(18), 6.0f);
    set.bad = -1;
    read->clear();
    for (const auto& batch : loader) step(batch, read);
    TwoQueues::shared().finish();
    EXPECT_EQ(read->size(), 8u * 6u) << "the next epoch begins anew";
    EXPECT_EQ(read->at(42), 14.0f);
  }
}

TEST(UploadedBatches, ABackendWithoutAnUploaderGetsEachBatchUploadedByItself) {
  const auto set = counted(22);
  const auto expected = std::make_shared<std::vector<float>>();
  std::vector<float> seen;
  data::Loader<OnHost> on_host(set, {.batch_size = 4, .seed = 3});
  data::Loader<SetupOf<backend::Delayed>> delayed(set, {.batch_size = 4, .seed = 3});
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const auto& batch : on_host) step(batch, expected);
    for (const auto& batch : delayed) {
      std::vector<float> x(static_cast<std::size_t>(2 * batch.size()));
      std::vector<std::int32_t> y(static_cast<std::size_t>(batch.size()));
      backend::Delayed::download(batch.x.value().data(), std::span(x));
      backend::Delayed::download(batch.y.data(), std::span(y));
      seen.insert(seen.end(), x.begin(), x.end());
      seen.insert(seen.end(), y.begin(), y.end());
    }
  }
  EXPECT_EQ(seen, *expected);
}

}  // namespace
}  // namespace halfstep::test
