#pragma once

#include <halfstep/ops/backend.hpp>
#include <halfstep/ops/exponent_counts.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// What a tensor in a computation is.
enum class TensorRole : std::uint8_t { result, parameter, leaf, constant };

/// A tensor of any storage type on any backend as an observer is shown it: for the time of the
/// call, and a parameter for as long as its model lives.
class ObservedTensor {
 public:
  template <class T, class B>
  static ObservedTensor of(std::string_view name, TensorRole role, const ViewOf<const T, B>& view) {
    return {name, role, numeric_traits<T>::name, view.shape(), view.data(), &counted<T, B>};
  }

  /// "hidden.weight", "hidden.linear", "relu#2"; where nobody named it "constant" or "leaf".
  const std::string& name() const { return name_; }
  TensorRole role() const { return role_; }
  /// The name of the type that its elements are stored in.
  std::string_view storage() const { return storage_; }
  const Shape& shape() const { return shape_; }
  /// Where its elements lie, on their device.
  const void* address() const { return address_; }
  /// Reads it once. Waits for it.
  ExponentCounts count(const ExponentScale& scale = {}) const {
    return count_(shape_.size(), address_, scale);
  }

 private:
  using Count = ExponentCounts (*)(Index, const void*, const ExponentScale&);

  ObservedTensor(std::string_view name, TensorRole role, std::string_view storage,
                 const Shape& shape, const void* address, Count count)
      : name_(name),
        role_(role),
        storage_(storage),
        shape_(shape),
        address_(address),
        count_(count) {}

  template <class T, class B>
  static ExponentCounts counted(Index n, const void* address, const ExponentScale& scale) {
    ExponentCounts counts;
    const auto* const x = static_cast<const T*>(address);
    if constexpr (B::DeviceType::host_accessible) {
      B::count_exponents(n, x, scale, &counts);
    } else {
      TensorOf<ExponentCounts, B> there(Shape{1});
      B::upload(std::span<const ExponentCounts>(&counts, 1), there.data());
      B::count_exponents(n, x, scale, there.data());
      B::download(std::as_const(there).data(), std::span<ExponentCounts>(&counts, 1));
    }
    return counts;
  }

  std::string name_;
  TensorRole role_;
  std::string_view storage_;
  Shape shape_;
  const void* address_;
  Count count_;
};

}  // namespace halfstep
