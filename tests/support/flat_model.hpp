#pragma once

#include <halfstep/autograd/backward.hpp>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/on_device.hpp"

namespace halfstep::test {

/// FP64 throughout: what formulas are compared with.
struct Fp64 : Fp32 {
  static constexpr std::string_view name = "fp64";
  using Parameter = double;
  using Activation = double;
  using Gradient = double;
  using Accumulator = double;
  using Reduction = double;
  using Moment = double;
  using Master = double;
  using GradientAccumulator = double;
};

using AllStorages = StorageList<float, float16, bfloat16, double>;

/// A model that is nothing but parameters, whose gradients a test writes itself.
template <class Setup>
class FlatModel {
 public:
  using Backend = typename Setup::Backend;
  using Store = ParameterStore<Backend>;

  /// Adds a parameter stored as T that starts from these values.
  template <class T>
  FlatModel& add(const std::string& name, const std::vector<double>& start, int group = 0) {
    return add_shaped<T>(name, Shape{static_cast<Index>(start.size())}, start, group);
  }
  template <class T>
  FlatModel& add_shaped(const std::string& name, const Shape& shape,
                        const std::vector<double>& start, int group = 0) {
    const auto fill = [start](std::span<float> values, const Shape&, std::uint64_t) {
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(start[i]);
    };
    const std::size_t at = store_->template add<T>(name, shape, fill);
    store_->arrange(at, group, false);
    if constexpr (std::is_same_v<T, double>) exact_.push_back({at, start});
    return *this;
  }
  Parameters<Setup> parameters() {
    store_->lay_out();
    for (const auto& [at, start] : exact_) write_exactly(at, start);
    exact_.clear();
    return Parameters<Setup>(store_);
  }
  Store& store() { return *store_; }

  /// A token of gradients: `values` is the gradient of every parameter of that size, times `scale`.
  template <class State = Unscaled>
  Gradients<State, Setup> gradients(const std::vector<double>& values, double scale = 1.0,
                                    double loss = 1.0) {
    static_cast<void>(parameters());
    store_->for_each_stored(AllStorages{}, [&](auto& segment) {
      if (segment.frozen()) return;
      segment.allocate_gradients();
      using T = typename std::remove_reference_t<decltype(segment)>::Storage;
      for (auto& slot : segment.slots()) {
        // Tensors and no vectors: a test counts what a step takes from the heap.
        Tensor<T> own(slot->shape());
        std::size_t i = 0;
        for (T& value : own.span()) value = storage_cast<T>(values[i++ % values.size()] * scale);
        Backend::upload(std::as_const(own).span(), segment.gradients().data() + slot->offset());
      }
    });
    GradientState now;
    now.loss = loss;
    now.scale = scale;
    TensorOf<GradientState, Backend> state(Shape{1});
    Backend::upload(std::span<const GradientState>(&now, 1), state.data());
    return {store_, std::move(state)};
  }

  /// The stored values of a parameter.
  std::vector<double> weights(const std::string& name) {
    return taken(name, [](auto& segment) { return segment.values(); });
  }
  std::vector<double> masters(const std::string& name) {
    return taken(name, [](auto& segment) { return segment.masters(); });
  }

 private:
  struct Exact {
    std::size_t at;
    std::vector<double> start;
  };
  void write_exactly(std::size_t at, const std::vector<double>& start) {
    store_->visit_parameter(AllStorages{}, at, [&](auto& segment, Index offset) {
      using T = typename std::remove_reference_t<decltype(segment)>::Storage;
      std::vector<T> stored;
      for (const double value : start) stored.push_back(storage_cast<T>(value));
      Backend::upload(std::span<const T>(stored), segment.values().data() + offset);
    });
  }
  template <class Arena>
  std::vector<double> taken(const std::string& name, const Arena& arena) {
    const std::size_t at = store_->find(name);
    std::vector<double> values(static_cast<std::size_t>(store_->info(at).shape.size()));
    store_->visit_parameter(AllStorages{}, at, [&](auto& segment, Index offset) {
      const auto from = arena(segment).rows(offset, static_cast<Index>(values.size()));
      values.clear();
      for (const auto value : on_host<Backend>(from)) values.push_back(storage_cast<double>(value));
    });
    return values;
  }

  std::shared_ptr<Store> store_ = std::make_shared<Store>();
  std::vector<Exact> exact_;
};

}  // namespace halfstep::test
