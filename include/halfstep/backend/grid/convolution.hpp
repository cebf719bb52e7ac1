#pragma once

#include <halfstep/backend/grid/copies.hpp>
#include <halfstep/backend/grid/elements.hpp>
#include <halfstep/backend/grid/images.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

struct AddElements {
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(N& sum, const N& x) const {
    sum = sum + x;
  }
};

/// Convolution as matrix products: every window of x becomes a row (Chellapilla et al., IWFHR 2006,
/// section 3), some images at a time.
/// @numerics  products and sums in Compute, one rounding at the store
template <class Queue, class Products, class Compute, class S>
class WindowProducts {
  using Sums = RowScalar<S>;
  template <class T>
  using Array = Tensor<T, typename Queue::Device>;

 public:
  explicit WindowProducts(const ConvolutionProblem& p) : p_(p), y_(p.layout, p.filters, p.output) {
    const Index of_an_image = p.output.size() * (p.channels * p.kernel.size() + p.filters);
    images_ = std::clamp<Index>(most_numbers / std::max<Index>(1, of_an_image), 1, p.batch);
  }

  /// y = x * weight + bias
  void convolve(const S* x, const S* weight, const S* bias, S* y, bool accumulate) {
    for_each_part([&](Index first, Index images) {
      const Array<S> windows = windows_of(first, images, x);
      for (Index group = 0; group < p_.groups; ++group) {
        const GemmProblem product{
            .m = rows(images), .n = filters(), .k = products(), .transpose_b = true};
        const S* const of_group = windows.data() + group * rows(images) * products();
        const S* const of_filters = weight + group * filters() * products();
        const S* const biases = bias == nullptr ? nullptr : bias + group * filters();
        if (direct()) {
          GemmProblem into = product;
          into.beta = accumulate ? 1.0f : 0.0f;
          Products::template gemm<Compute>(into, of_group, of_filters, y + first * y_.batch,
                                           biases);
          continue;
        }
        Array<Sums> sums(Shape{rows(images), filters()});
        Products::template gemm<Compute>(product, of_group, of_filters, sums.data(), biases);
        StridedCopy copy = between_rows_and_y(first, images, group);
        std::swap(copy.from_strides, copy.to_strides);
        std::swap(copy.from_offset, copy.to_offset);
        copy.accumulate = accumulate;
        launch(copy.extents.size(),
               StridedCopyKernel<Sums, S>(copy, std::as_const(sums).data(), y));
      }
    });
  }

  /// x = what the transposed convolution makes of y, + bias
  void convolve_transposed(const S* y, const S* weight, const S* bias, S* x, bool accumulate) {
    for_each_part([&](Index first, Index images) {
      Array<Sums> windows(Shape{p_.groups, rows(images), products()});
      for (Index group = 0; group < p_.groups; ++group) {
        const Array<S> gathered = gathered_y(first, images, group, y);
        Products::template gemm<Compute>({.m = rows(images), .n = products(), .k = filters()},
                                         direct() ? y + first * y_.batch : gathered.data(),
                                         weight + group * filters() * products(),
                                         windows.data() + group * rows(images) * products(),
                                         static_cast<const S*>(nullptr));
      }
      const WindowsKernel<S> shape{p_, first, images, nullptr, nullptr};
      launch(images * p_.channels * p_.input.size(),
             FoldKernel<S>{shape, std::as_const(windows).data(), bias, x, accumulate});
    });
  }

  /// weight = the sum over windows of y's and x's products
  void convolve_weight(const S* x, const S* y, S* weight, bool accumulate) {
    Array<Sums> sums(Shape{p_.weight_size()});
    for_each_part([&](Index first, Index images) {
      const Array<S> windows = windows_of(first, images, x);
      for (Index group = 0; group < p_.groups; ++group) {
        const Array<S> gathered = gathered_y(first, images, group, y);
        Products::template gemm<Compute>({.m = filters(),
                                          .n = products(),
                                          .k = rows(images),
                                          .transpose_a = true,
                                          .beta = first == 0 ? 0.0f : 1.0f},
                                         direct() ? y + first * y_.batch : gathered.data(),
                                         windows.data() + group * rows(images) * products(),
                                         sums.data() + group * filters() * products(),
                                         static_cast<const S*>(nullptr));
      }
    });
    const Index n = p_.weight_size();
    const In<Sums> from{std::as_const(sums).data()};
    if (accumulate)
      launch(n, ElementKernel<1, AddElements, InOut<S>, In<Sums>>{
                    {}, n, members(InOut<S>{weight}, from)});
    else
      launch(n, ElementKernel<1, CopyElements, In<Sums>, Out<S>>{
                    {}, n, members(from, Out<S>{weight})});
  }

 private:
  /// What windows and their products may take: 64 Mi numbers.
  static constexpr Index most_numbers = Index{1} << 26;

  Index filters() const { return p_.filters / p_.groups; }
  Index products() const { return p_.products(); }
  Index rows(Index images) const { return images * p_.output.size(); }
  /// Whether y's rows stand in y as a product writes them.
  bool direct() const { return p_.groups == 1 && y_.channel == 1; }

  template <class F>
  void for_each_part(const F& f) const {
    for (Index first = 0; first < p_.batch; first += images_)
      f(first, std::min(images_, p_.batch - first));
  }
  template <class Kernel>
  static void launch(Index n, const Kernel& kernel) {
    if (n > 0) Queue::launch(grid_of_elements(n), kernel);
  }
  Array<S> windows_of(Index first, Index images, const S* x) const {
    Array<S> windows(Shape{p_.groups, rows(images), products()});
    const WindowsKernel<S> kernel{p_, first, images, x, windows.data()};
    launch(kernel.size(), kernel);
    return windows;
  }
  StridedCopy between_rows_and_y(Index first, Index images, Index group) const {
    StridedCopy copy;
    copy.extents = Shape{images, p_.output.size(), filters()};
    copy.from_strides = {y_.batch, y_.column, y_.channel};
    copy.from_offset = first * y_.batch + group * filters() * y_.channel;
    copy.to_strides = {p_.output.size() * filters(), filters(), 1};
    return copy;
  }
  /// y's rows of a group; nothing where they need not be gathered.
  Array<S> gathered_y(Index first, Index images, Index group, const S* y) const {
    if (direct()) return {};
    Array<S> gathered(Shape{rows(images), filters()});
    const StridedCopy copy = between_rows_and_y(first, images, group);
    launch(copy.extents.size(), StridedCopyKernel<S, S>(copy, y, gathered.data()));
    return gathered;
  }

  ConvolutionProblem p_;
  ImageStrides y_;
  Index images_;
};

}  // namespace halfstep
