#pragma once

#include <halfstep/data/loader_settings.hpp>
#include <halfstep/data/sample_source.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace halfstep::inline HALFSTEP_ABI::data {

/// Makes the batches of a BatchQueue in the host's memory.
template <class X, class Y>
class HostBatches {
 public:
  using Source = SampleSource<X, Y>;
  struct Made {
    Tensor<X> x;
    Tensor<Y> y;
  };

  HostBatches(Source& source, const LoaderSettings&) : source_(&source) {}

  /// @throws  what the data set throws
  Made make(Index, std::span<const Index> samples) {
    const auto count = static_cast<Index>(samples.size());
    // Memory comes from the pool's cache, where the batches before this one went.
    Made made{Tensor<X>(source_->x_shape(count)), Tensor<Y>(source_->y_shape(count))};
    source_->fill(samples, made.x.data(), made.y.data());
    return made;
  }

 private:
  Source* source_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
