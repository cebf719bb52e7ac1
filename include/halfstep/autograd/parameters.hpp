#pragma once

#include <halfstep/autograd/parameter_store.hpp>
#include <halfstep/backend/setup.hpp>

#include <memory>

namespace halfstep::inline HALFSTEP_ABI {

/// A model's parameters, and the Setup they were made under: what optimizers, scalers and backward
/// are given.
template <class Setup_>
class Parameters {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Store = ParameterStore<Backend>;

  explicit Parameters(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  const std::shared_ptr<Store>& store() const { return store_; }
  std::size_t count() const { return store_->count(); }
  const ParameterInfo& info(std::size_t index) const { return store_->info(index); }
  /// The number of elements of all parameters.
  Index size() const {
    Index total = 0;
    for (std::size_t i = 0; i < count(); ++i) total += info(i).shape.size();
    return total;
  }

 private:
  std::shared_ptr<Store> store_;
};

}  // namespace halfstep
