#pragma once

#include <halfstep/data/loader_position.hpp>
#include <halfstep/data/sample_source.hpp>
#include <halfstep/data/shuffle.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

namespace halfstep::inline HALFSTEP_ABI::data {

/// How batches are made.
struct LoaderSettings {
  Index batch_size = 32;
  /// Says, with the epoch, in which order samples come.
  std::uint64_t seed = 0;
  bool shuffle = true;
  /// Leave out the last batch of an epoch where it is smaller than the others.
  bool drop_last = false;
  /// How many batches a thread of the Loader's own prepares ahead; 0: no thread.
  Index prefetch = 2;
};

/// Prepares the batches of an epoch in the host's memory, in order, on a thread of its own where
/// the settings say so. What a data set throws comes out of `next` in its batch's place.
template <class X, class Y>
class BatchQueue {
 public:
  struct HostBatch {
    Tensor<X> x;
    Tensor<Y> y;
  };

  /// @throws ShapeError  a batch size below 1
  /// @throws DataError   no batch could be filled
  BatchQueue(std::unique_ptr<SampleSource<X, Y>> source, const LoaderSettings& settings)
      : source_(std::move(source)), settings_(settings) {
    if (settings_.batch_size < 1)
      fail<ShapeError>("Loader: batch_size is ", settings_.batch_size, "; it must be at least 1");
    if (settings_.prefetch < 0)
      fail<DataError>("Loader: prefetch is ", settings_.prefetch, "; it must be at least 0");
    if (batches() == 0)
      fail<DataError>("Loader: drop_last leaves no batch of ", settings_.batch_size, " from ",
                      source_->size, " samples; use a smaller batch_size");
    order_.resize(static_cast<std::size_t>(source_->size));
    ready_.resize(static_cast<std::size_t>(settings_.prefetch));
  }
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;
  ~BatchQueue() { stop(); }

  /// Batches an epoch.
  Index batches() const {
    const Index whole = source_->size / settings_.batch_size;
    return settings_.drop_last || whole * settings_.batch_size == source_->size ? whole : whole + 1;
  }
  Index samples() const { return source_->size; }

  /// Begins an epoch at one of its batches; what is left of another is dropped.
  void start(LoaderPosition from) {
    stop();
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<Index>(i);
    if (settings_.shuffle)
      shuffle(std::span(order_), settings_.seed, static_cast<std::uint64_t>(from.epoch));
    next_ = made_ = from.batch;
    if (settings_.prefetch > 0) thread_ = std::thread([this] { prepare(); });
  }

  /// The epoch's next batch; false after its last.
  /// @throws  what the data set throws
  bool next(HostBatch& batch) {
    if (next_ >= batches()) return false;
    if (settings_.prefetch == 0) {
      // A batch that fails ends the epoch, as it does on the thread.
      const Index index = std::exchange(next_, batches());
      batch = make(index);
      next_ = index + 1;
    } else {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return next_ < made_ || failure_ != nullptr; });
      if (next_ == made_) {
        next_ = batches();
        std::rethrow_exception(std::exchange(failure_, nullptr));
      }
      batch = std::move(place(next_));
      ++next_;
      lock.unlock();
      taken_.notify_one();
    }
    return true;
  }

  /// Ends the epoch and its thread.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    taken_.notify_one();
    if (thread_.joinable()) thread_.join();
    stopping_ = false;
    failure_ = nullptr;
    next_ = made_ = batches();
    for (HostBatch& batch : ready_) batch = {};
  }

 private:
  HostBatch& place(Index batch) { return ready_[static_cast<std::size_t>(batch) % ready_.size()]; }

  HostBatch make(Index index) {
    const Index first = index * settings_.batch_size;
    const Index count = std::min(settings_.batch_size, source_->size - first);
    Shape x_shape{count};
    for (const Index extent : source_->sample_shape) x_shape = x_shape.with_last(extent);
    // Memory comes from the pool's cache, where the batches before this one went.
    HostBatch batch{Tensor<X>(x_shape),
                    Tensor<Y>(std::is_integral_v<Y> ? Shape{count} : Shape{count, source_->width})};
    source_->fill(
        std::span(order_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
        batch.x.data(), batch.y.data());
    return batch;
  }

  void prepare() {
    const Index last = batches();
    for (Index index = made_; index < last; ++index) {
      {
        std::unique_lock lock(mutex_);
        taken_.wait(lock, [&] { return stopping_ || index - next_ < settings_.prefetch; });
        if (stopping_) return;
      }
      HostBatch batch;
      std::exception_ptr failure;
      try {
        batch = make(index);
      } catch (...) {
        failure = std::current_exception();
      }
      const bool failed = failure != nullptr;
      {
        const std::lock_guard lock(mutex_);
        if (!failed) {
          place(index) = std::move(batch);
          ++made_;
        }
        failure_ = std::move(failure);
      }
      filled_.notify_one();
      if (failed) return;
    }
  }

  std::unique_ptr<SampleSource<X, Y>> source_;
  LoaderSettings settings_;
  std::vector<Index> order_;
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable filled_, taken_;
  std::vector<HostBatch> ready_;
  Index next_ = 0;  // the batch that `next` gives
  Index made_ = 0;  // batches before this one were made
  bool stopping_ = false;
  std::exception_ptr failure_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
