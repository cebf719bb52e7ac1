#pragma once

#include <halfstep/data/batch.hpp>
#include <halfstep/data/batch_queue.hpp>
#include <halfstep/data/host_batches.hpp>
#include <halfstep/data/uploaded_batches.hpp>

#include <cstddef>
#include <iterator>

namespace halfstep::inline HALFSTEP_ABI::data {

/// The batches of a data set, in the Setup's Activation type and on its device:
///
///   for (const auto& batch : Loader<Setup>(train, {.batch_size = 128, .seed = 1})) ...
///
/// Each loop over a Loader is an epoch, in an order that the seed and the epoch determine. A
/// thread prepares batches ahead, and uploads them where the backend has an Uploader: then batches
/// lie in turn in the same prefetch + 1 places of the device's memory. A data set that is a
/// variable is referred to and must outlive the Loader; a temporary is moved in.
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
    let_go();
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

  static constexpr bool uploads = requires { typename Setup::Backend::Uploader; };
  using Maker = std::conditional_t<uploads, UploadedBatches<X, Y, typename Setup::Backend>,
                                   HostBatches<X, Y>>;

  void advance() {
    over_ = true;
    let_go();
    typename Maker::Made made;
    if (!queue_.next(made)) return;
    ++at_.batch;
    held_ = true;
    if constexpr (uploads) queue_.maker().acquire(at_.batch);
    const bool last = at_.batch + 1 >= size();
    batch_ = {on_device(std::move(made.x)), on_device(std::move(made.y)),
              last ? next_ : LoaderPosition{at_.epoch, at_.batch + 1}};
    over_ = false;
  }
  /// The memory of the batch at hand serves another one.
  void let_go() {
    batch_ = {};
    if constexpr (uploads)
      if (held_) queue_.maker().release(at_.batch);
    held_ = false;
  }
  template <class T, class From>
  static Tensor<T, Device> on_device(Tensor<T, From> made) {
    if constexpr (std::is_same_v<Device, From>) {
      return made;
    } else {
      Tensor<T, Device> tensor(made.shape());
      Setup::Backend::upload(std::as_const(made).span(), tensor.data());
      return tensor;
    }
  }

  BatchQueue<Maker> queue_;
  BatchType batch_;
  LoaderPosition next_;
  LoaderPosition at_;
  bool over_ = true;
  bool held_ = false;  // whether batch_ is the epoch's batch at_
};

/// A Loader for whatever answers the data set has.
template <class Setup, class D>
Loader<Setup, AnswersOf<std::remove_cvref_t<D>>> loader_for(D&& dataset,
                                                            const LoaderSettings& settings = {}) {
  return Loader<Setup, AnswersOf<std::remove_cvref_t<D>>>(std::forward<D>(dataset), settings);
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
