#pragma once

#include <halfstep/data/batch.hpp>
#include <halfstep/data/batch_queue.hpp>

#include <cstddef>
#include <iterator>

namespace halfstep::inline HALFSTEP_ABI::data {

/// The batches of a data set, in the Setup's Activation type and on its device:
///
///   for (const auto& batch : Loader<Setup>(train, {.batch_size = 128, .seed = 1})) ...
///
/// Each loop over a Loader is an epoch, in an order that the seed and the epoch determine. A
/// thread prepares batches ahead. A data set that is a variable is referred to and must outlive the
/// Loader; a temporary is moved in.
///
/// @tparam Answers  `Targets` for a data set of numbers (regression) instead of classes;
///                  `AnswersOf<D>` in generic code
template <class Setup, class Answers = Labels>
class Loader {
 public:
  using BatchType = Batch<Setup, Answers>;

  class Iterator {
   public:
    using value_type = BatchType;
    using difference_type = std::ptrdiff_t;

    explicit Iterator(Loader* loader) : loader_(loader) {}
    const BatchType& operator*() const { return loader_->batch_; }
    const BatchType* operator->() const { return &loader_->batch_; }
    Iterator& operator++() {
      loader_->advance();
      return *this;
    }
    void operator++(int) { loader_->advance(); }
    bool operator==(std::default_sentinel_t) const { return loader_->over_; }

   private:
    Loader* loader_;
  };

  /// @throws DataError   the data set is empty
  /// @throws ShapeError  a batch size below 1
  template <class D>
  requires Dataset<std::remove_reference_t<D>>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): Loader is no data set
  explicit Loader(D&& dataset, const LoaderSettings& settings = {})
      : queue_(std::make_unique<DatasetSource<X, Y, D>>(std::forward<D>(dataset)), settings) {
    static_assert(std::is_same_v<AnswersOf<std::remove_cvref_t<D>>, Answers>,
                  "halfstep: a Loader<Setup> is of labels; for a data set whose answers are "
                  "numbers write Loader<Setup, data::Targets>");
  }

  /// The number of batches in an epoch.
  Index size() const { return queue_.batches(); }
  /// The number of samples in the data set.
  Index samples() const { return queue_.samples(); }

  /// Begins the next epoch.
  /// @throws  what the data set throws
  Iterator begin() {
    at_ = {next_.epoch, next_.batch - 1};
    queue_.start(next_);
    over_ = false;
    next_ = {next_.epoch + 1, 0};
    advance();
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

  /// Where the run is: within a loop the batch at hand, after it the first of the next epoch.
  LoaderPosition position() const { return over_ ? next_ : at_; }
  /// Where the next loop begins.
  void set_position(LoaderPosition position) {
    next_ = position;
    over_ = true;
  }
  /// Which epoch the next loop is.
  void set_epoch(std::int64_t epoch) { set_position({epoch, 0}); }

 private:
  using X = typename Setup::Activation;
  using Y = typename BatchType::Answer;
  using Device = typename Setup::Backend::DeviceType;

  void advance() {
    batch_ = {};  // its memory serves the next one
    over_ = true;
    typename BatchQueue<X, Y>::HostBatch host;
    if (!queue_.next(host)) return;
    ++at_.batch;
    const bool last = at_.batch + 1 >= size();
    batch_ = {on_device(std::move(host.x)), on_device(std::move(host.y)),
              last ? next_ : LoaderPosition{at_.epoch, at_.batch + 1}};
    over_ = false;
  }
  template <class T>
  static Tensor<T, Device> on_device(Tensor<T> host) {
    if constexpr (std::is_same_v<Device, device::Cpu>) {
      return host;
    } else {
      Tensor<T, Device> tensor(host.shape());
      Setup::Backend::upload(std::as_const(host).span(), tensor.data());
      return tensor;
    }
  }

  BatchQueue<X, Y> queue_;
  BatchType batch_;
  LoaderPosition next_;
  LoaderPosition at_;
  bool over_ = true;
};

/// A Loader for whatever answers the data set has.
template <class Setup, class D>
Loader<Setup, AnswersOf<std::remove_cvref_t<D>>> loader_for(D&& dataset,
                                                            const LoaderSettings& settings = {}) {
  return Loader<Setup, AnswersOf<std::remove_cvref_t<D>>>(std::forward<D>(dataset), settings);
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
