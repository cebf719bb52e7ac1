#pragma once

#include <halfstep/autograd/variable.hpp>
#include <halfstep/data/loader_position.hpp>
#include <halfstep/data/sample.hpp>

namespace halfstep::inline HALFSTEP_ABI::data {

/// Some samples as a model takes them.
///
/// @tparam Answers  `Labels` or `Targets`
template <class Setup, class Answers = Labels>
struct Batch {
  using Backend = typename Setup::Backend;
  using Answer =
      std::conditional_t<std::is_same_v<Answers, Labels>, std::int32_t, typename Setup::Reduction>;

  Variable<typename Setup::Activation, Backend> x;  ///< [size, sample shape...]
  TensorOf<Answer, Backend> y;                      ///< [size] labels or [size, width] targets

  LoaderPosition next{};  ///< the place after this batch, where a run would go on

  /// The number of samples.
  Index size() const { return x.shape()[0]; }
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
