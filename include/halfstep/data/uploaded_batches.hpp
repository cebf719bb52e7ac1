#pragma once

#include <halfstep/data/loader_settings.hpp>
#include <halfstep/data/sample_source.hpp>
#include <halfstep/ops/backend.hpp>

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::data {

/// Makes the batches of a BatchQueue in a device's memory that the host cannot reach, through the
/// backend's Uploader: neither who uses them nor the device waits for the host.
///
/// Batch i of an epoch lies in slot i mod slots, whose addresses stay the same for the whole run,
/// so that a step that was captured with them can be replayed. Each slot has its host memory, into
/// which samples are written.
template <class X, class Y, class B>
class UploadedBatches {
 public:
  using Source = SampleSource<X, Y>;
  struct Made {
    TensorOf<X, B> x;
    TensorOf<Y, B> y;
  };

  UploadedBatches(Source& source, const LoaderSettings& settings)
      : source_(&source),
        samples_(std::min(settings.batch_size, source.size)),
        y_offset_(aligned(bytes_of<X>(source.x_shape(samples_)))),
        // Beside the batches prepared ahead there is the one at hand.
        slots_(static_cast<std::size_t>(std::max<Index>(settings.prefetch, 1)) + 1),
        uploader_(slots_.size(), y_offset_ + bytes_of<Y>(source.y_shape(samples_))) {
    for (Index i = 0; i < static_cast<Index>(slots_.size()); ++i) {
      slots_[slot_of(i)] = new_slot();
      uploader_.release(slot_of(i));
    }
  }

  /// Writes a batch and asks for its upload, on the thread that prepares batches; the batch as many
  /// before it as there are slots was released. May wait for that batch's upload.
  /// @throws  what the data set throws
  Made make(Index batch, std::span<const Index> samples) {
    const std::size_t at = slot_of(batch);
    const auto count = static_cast<Index>(samples.size());
    std::byte* const staging = uploader_.staging(at);
    X* const x = reinterpret_cast<X*>(staging);
    Y* const y = reinterpret_cast<Y*>(staging + y_offset_);
    source_->fill(samples, x, y);
    Made made{slots_[at].x.rows(0, count), slots_[at].y.rows(0, count)};
    upload(at, x, made.x);
    upload(at, y, made.y);
    return made;
  }

  /// What the backend is asked for from now on finds the batch uploaded. Waits for nothing, as
  /// `release`: both are called by who uses the batches.
  void acquire(Index batch) { uploader_.acquire(slot_of(batch)); }
  /// What the backend was asked for until now was the last to read the batch, unless somebody has
  /// kept a tensor of it: then that is theirs, and the slot gets other memory.
  void release(Index batch) {
    Made& slot = slots_[slot_of(batch)];
    if (!slot.x.unique() || !slot.y.unique()) slot = new_slot();
    uploader_.release(slot_of(batch));
  }

 private:
  template <class T>
  static std::size_t bytes_of(const Shape& shape) {
    return static_cast<std::size_t>(shape.size()) * sizeof(T);
  }
  static std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }
  std::size_t slot_of(Index batch) const { return static_cast<std::size_t>(batch) % slots_.size(); }
  Made new_slot() const {
    return {TensorOf<X, B>(source_->x_shape(samples_)), TensorOf<Y, B>(source_->y_shape(samples_))};
  }
  template <class T>
  void upload(std::size_t slot, const T* from, TensorOf<T, B>& to) {
    uploader_.upload(slot, std::span<const T>(from, static_cast<std::size_t>(to.size())),
                     to.data());
  }

  Source* source_;
  Index samples_;  // of the largest batch
  std::size_t y_offset_;
  std::vector<Made> slots_;
  // Ends first: it waits until nothing is written to the slots any more.
  typename B::Uploader uploader_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
