#pragma once

#include <halfstep/data/loader_position.hpp>
#include <halfstep/data/loader_settings.hpp>
#include <halfstep/data/shuffle.hpp>

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::data {

/// Prepares the batches of an epoch, in order, on a thread of its own where the settings say so.
/// What a data set throws comes out of `next` in its batch's place.
///
/// @tparam Maker  makes a batch, `Made make(Index batch, std::span<const Index> samples)`, from its
///                `Source`; built from that and the settings
template <class Maker>
class BatchQueue {
 public:
  using Source = typename Maker::Source;
  using Made = typename Maker::Made;

  /// @throws ShapeError  a batch size below 1
  /// @throws DataError   no batch could be filled
  BatchQueue(std::unique_ptr<Source> source, const LoaderSettings& settings)
      : source_(std::move(source)),
        settings_(checked(settings, source_->size)),
        maker_(*source_, settings_) {
    order_.resize(static_cast<std::size_t>(source_->size));
    ready_.resize(static_cast<std::size_t>(settings_.prefetch));
  }
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;
  ~BatchQueue() { stop(); }

  /// Batches an epoch.
  Index batches() const { return batches_of(settings_, source_->size); }
  Index samples() const { return source_->size; }
  Maker& maker() { return maker_; }

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
  bool next(Made& batch) {
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
    for (Made& batch : ready_) batch = {};
  }

 private:
  static Index batches_of(const LoaderSettings& settings, Index samples) {
    const Index whole = samples / settings.batch_size;
    return settings.drop_last || whole * settings.batch_size == samples ? whole : whole + 1;
  }
  static LoaderSettings checked(const LoaderSettings& settings, Index samples) {
    if (settings.batch_size < 1)
      fail<ShapeError>("Loader: batch_size is ", settings.batch_size, "; it must be at least 1");
    if (settings.prefetch < 0)
      fail<DataError>("Loader: prefetch is ", settings.prefetch, "; it must be at least 0");
    if (batches_of(settings, samples) == 0)
      fail<DataError>("Loader: drop_last leaves no batch of ", settings.batch_size, " from ",
                      samples, " samples; use a smaller batch_size");
    return settings;
  }

  Made& place(Index batch) { return ready_[static_cast<std::size_t>(batch) % ready_.size()]; }

  Made make(Index index) {
    const Index first = index * settings_.batch_size;
    const Index count = std::min(settings_.batch_size, source_->size - first);
    return maker_.make(index,
                       std::span<const Index>(order_).subspan(static_cast<std::size_t>(first),
                                                              static_cast<std::size_t>(count)));
  }

  void prepare() {
    const Index last = batches();
    for (Index index = made_; index < last; ++index) {
      {
        std::unique_lock lock(mutex_);
        taken_.wait(lock, [&] { return stopping_ || index - next_ < settings_.prefetch; });
        if (stopping_) return;
      }
      Made batch;
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

  std::unique_ptr<Source> source_;
  LoaderSettings settings_;
  Maker maker_;
  std::vector<Index> order_;
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable filled_, taken_;
  std::vector<Made> ready_;
  Index next_ = 0;  // the batch that `next` gives
  Index made_ = 0;  // batches before this one were made
  bool stopping_ = false;
  std::exception_ptr failure_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
