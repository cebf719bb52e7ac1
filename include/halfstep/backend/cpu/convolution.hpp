#pragma once

#include <halfstep/backend/cpu/strided_copy.hpp>
#include <halfstep/ops/convolution.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// Adds one array to another.
struct AddElements {
  template <class N>
  HALFSTEP_INLINE void operator()(N& sum, const N& x) const {
    sum = sum + x;
  }
};

/// An operand in the type that it is computed in: itself, or a copy, which is exact.
template <class Scalar, class T>
class WidenedArray {
 public:
  WidenedArray(Index n, const T* x) {
    if constexpr (std::is_same_v<Scalar, T>) {
      data_ = x;
    } else if (x != nullptr) {
      memory_ = Tensor<Scalar>(Shape{n});
      convert_elements(n, x, memory_.data());
      data_ = memory_.data();
    }
  }
  const Scalar* data() const { return data_; }

 private:
  Tensor<Scalar> memory_;
  const Scalar* data_ = nullptr;
};

/// Where sums are computed that go to an array of another type, or are added to it: the array
/// itself where neither is so. `finish` rounds them once.
template <class Scalar, class T>
class SumsFor {
 public:
  SumsFor(Index n, T* to, bool accumulate) : n_(n), to_(to), accumulate_(accumulate) {
    if constexpr (std::is_same_v<Scalar, T>) {
      if (!accumulate) data_ = to;
    }
    if (data_ == nullptr) {
      memory_ = Tensor<Scalar>(Shape{n});
      data_ = memory_.data();
    }
  }
  Scalar* data() { return data_; }
  void finish() {
    if (memory_.empty()) return;
    if (accumulate_)
      for_each_element(n_, AddElements{}, InOut<T>{to_}, In<Scalar>{data_});
    else
      convert_elements(n_, std::as_const(memory_).data(), to_);
  }

 private:
  Index n_;
  T* to_;
  bool accumulate_;
  Tensor<Scalar> memory_;
  Scalar* data_ = nullptr;
};

/// Convolution as matrix products: every window of x becomes a row (Chellapilla et al., IWFHR 2006,
/// section 3), some images at a time.
///
/// @tparam Products  a backend with a product of Scalars
template <class Products, class Scalar>
class WindowProducts {
 public:
  explicit WindowProducts(const ConvolutionProblem& p)
      : p_(p), x_(p.layout, p.channels, p.input), y_(p.layout, p.filters, p.output) {
    const Index of_an_image = p.output.size() * (p.products() + p.filters / p.groups);
    images_ = std::clamp<Index>(most_numbers / std::max<Index>(1, of_an_image), 1, p.batch);
    windows_ = Tensor<Scalar>(Shape{images_ * p.output.size(), p.products()});
    filtered_ = Tensor<Scalar>(Shape{images_ * p.output.size(), filters()});
  }

  /// y = x * weight + bias
  void convolve(const Scalar* x, const Scalar* weight, const Scalar* bias, Scalar* y) {
    for_each_part([&](Index first, Index images, Index group) {
      gather_windows(first, images, group, x);
      multiply({.m = rows(images), .n = filters(), .k = p_.products(), .transpose_b = true},
               windows_.data(), weight + group * filters() * p_.products(),
               direct() ? y + first * y_.batch : filtered_.data(),
               bias == nullptr ? bias : bias + group * filters());
      if (direct()) return;
      StridedCopy copy = between_rows_and_y(first, images, group);
      std::swap(copy.from_strides, copy.to_strides);
      std::swap(copy.from_offset, copy.to_offset);
      strided_copy(copy, std::as_const(filtered_).data(), y);
    });
  }
  /// x = what the transposed convolution makes of y, + bias
  void convolve_transposed(const Scalar* y, const Scalar* weight, const Scalar* bias, Scalar* x) {
    for_each_part([&](Index first, Index images, Index group) {
      multiply({.m = rows(images), .n = p_.products(), .k = filters()},
               gathered_y(first, images, group, y), weight + group * filters() * p_.products(),
               windows_.data(), nullptr);
      sum_windows(first, images, group, bias, x);
    });
  }
  /// weight = the sum over windows of y's and x's products
  void convolve_weight(const Scalar* x, const Scalar* y, Scalar* weight) {
    for_each_part([&](Index first, Index images, Index group) {
      gather_windows(first, images, group, x);
      multiply({.m = filters(),
                .n = p_.products(),
                .k = rows(images),
                .transpose_a = true,
                .beta = first == 0 ? 0.0f : 1.0f},
               gathered_y(first, images, group, y), windows_.data(),
               weight + group * filters() * p_.products(), nullptr);
    });
  }

 private:
  /// What windows and their products may take: 16 MiB of floats.
  static constexpr Index most_numbers = Index{1} << 22;

  Index filters() const { return p_.filters / p_.groups; }
  Index channels() const { return p_.channels / p_.groups; }
  Index rows(Index images) const { return images * p_.output.size(); }
  /// Whether y's rows stand in y as a product writes them.
  bool direct() const { return p_.groups == 1 && y_.channel == 1; }

  template <class F>
  void for_each_part(const F& f) {
    for (Index first = 0; first < p_.batch; first += images_)
      for (Index group = 0; group < p_.groups; ++group)
        f(first, std::min(images_, p_.batch - first), group);
  }
  static void multiply(const GemmProblem& problem, const Scalar* a, const Scalar* b, Scalar* c,
                       const Scalar* bias) {
    Products::template gemm<Scalar>(problem, a, b, c, bias);
  }

  StridedCopy between_rows_and_y(Index first, Index images, Index group) const {
    StridedCopy copy;
    copy.extents = Shape{images, p_.output.size(), filters()};
    copy.from_strides = {y_.batch, y_.column, y_.channel};
    copy.from_offset = first * y_.batch + group * filters() * y_.channel;
    copy.to_strides = {p_.output.size() * filters(), filters(), 1};
    return copy;
  }
  const Scalar* gathered_y(Index first, Index images, Index group, const Scalar* y) {
    if (direct()) return y + first * y_.batch;
    strided_copy(between_rows_and_y(first, images, group), y, filtered_.data());
    return filtered_.data();
  }

  void gather_windows(Index first, Index images, Index group, const Scalar* x) {
    const Index lines = images * p_.output.height;
    parallel_for(lines, line_grain(), [&](Index begin, Index end) {
      for (Index line = begin; line < end; ++line) {
        const Scalar* const image =
            x + (first + line / p_.output.height) * x_.batch + group * channels() * x_.channel;
        const Index top =
            window_begin(line % p_.output.height, p_.stride.height, p_.padding.height);
        Scalar* to = windows_.data() + line * p_.output.width * p_.products();
        for (Index j = 0; j < p_.output.width; ++j) {
          const Index left = window_begin(j, p_.stride.width, p_.padding.width);
          for (Index c = 0; c < channels(); ++c)
            for (Index u = 0; u < p_.kernel.height; ++u)
              for (Index v = 0; v < p_.kernel.width; ++v) {
                const Index row = top + u * p_.dilation.height;
                const Index column = left + v * p_.dilation.width;
                const bool inside =
                    row >= 0 && row < p_.input.height && column >= 0 && column < p_.input.width;
                *to++ =
                    inside ? image[c * x_.channel + row * x_.row + column * x_.column] : Scalar(0);
              }
        }
      }
    });
  }

  /// The output position whose window has this element at place `u` of its kernel, or -1.
  static Index window_of(Index at, Index u, Index dilation, Index padding, Index stride,
                         Index windows) {
    const Index begin = at + padding - u * dilation;
    return begin >= 0 && begin % stride == 0 && begin / stride < windows ? begin / stride : -1;
  }
  void sum_windows(Index first, Index images, Index group, const Scalar* bias, Scalar* x) const {
    const Index lines = images * p_.input.height;
    parallel_for(lines, line_grain(), [&](Index begin, Index end) {
      for (Index line = begin; line < end; ++line) {
        const Index n = line / p_.input.height;
        const Index row = line % p_.input.height;
        for (Index column = 0; column < p_.input.width; ++column)
          for (Index c = 0; c < channels(); ++c) {
            const Index channel = group * channels() + c;
            Scalar sum = bias == nullptr ? Scalar(0) : bias[channel];
            for (Index u = 0; u < p_.kernel.height; ++u) {
              const Index i = window_of(row, u, p_.dilation.height, p_.padding.height,
                                        p_.stride.height, p_.output.height);
              if (i < 0) continue;
              for (Index v = 0; v < p_.kernel.width; ++v) {
                const Index j = window_of(column, v, p_.dilation.width, p_.padding.width,
                                          p_.stride.width, p_.output.width);
                if (j < 0) continue;
                const Index window = (n * p_.output.height + i) * p_.output.width + j;
                sum += windows_.data()[window * p_.products() +
                                       (c * p_.kernel.height + u) * p_.kernel.width + v];
              }
            }
            x[(first + n) * x_.batch + channel * x_.channel + row * x_.row + column * x_.column] =
                sum;
          }
      }
    });
  }
  /// Lines of an image that a thread takes at a time.
  Index line_grain() const {
    return std::max<Index>(1, element_grain / (p_.output.width * p_.products()));
  }

  ConvolutionProblem p_;
  ImageStrides x_;
  ImageStrides y_;
  Index images_;
  Tensor<Scalar> windows_;
  Tensor<Scalar> filtered_;
};

/// Runs `sums(x, weight, bias, y)` in the type that S is computed in, and rounds y once.
template <class S, class F>
void convolve_widened(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias, S* y,
                      bool accumulate, const F& sums) {
  using Scalar = halfstep::Compute<S>;
  const WidenedArray<Scalar, S> wide_x(p.x_size(), x), wide_weight(p.weight_size(), weight),
      wide_bias(p.filters, bias);
  SumsFor<Scalar, S> to(p.y_size(), y, accumulate);
  sums(wide_x.data(), wide_weight.data(), wide_bias.data(), to.data());
  to.finish();
}
/// Runs `sums(y, weight, bias, x)` likewise, and rounds x.
template <class S, class F>
void convolve_transposed_widened(const ConvolutionProblem& p, const S* y, const S* weight,
                                 const S* bias, S* x, bool accumulate, const F& sums) {
  using Scalar = halfstep::Compute<S>;
  const WidenedArray<Scalar, S> wide_y(p.y_size(), y), wide_weight(p.weight_size(), weight),
      wide_bias(p.channels, bias);
  SumsFor<Scalar, S> to(p.x_size(), x, accumulate);
  sums(wide_y.data(), wide_weight.data(), wide_bias.data(), to.data());
  to.finish();
}
/// Runs `sums(x, y, weight)` likewise, and rounds weight.
template <class S, class F>
void convolve_weight_widened(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                             bool accumulate, const F& sums) {
  using Scalar = halfstep::Compute<S>;
  const WidenedArray<Scalar, S> wide_x(p.x_size(), x), wide_y(p.y_size(), y);
  SumsFor<Scalar, S> to(p.weight_size(), weight, accumulate);
  sums(wide_x.data(), wide_y.data(), to.data());
  to.finish();
}

/// Convolution by products of windows, for any storage type; see ops/backend.hpp.
/// @numerics  16-bit operands are widened, which is exact; one rounding, at the store
template <class Products, class S>
void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias, S* y,
              bool accumulate) {
  convolve_widened(p, x, weight, bias, y, accumulate, [&](auto*... arrays) {
    WindowProducts<Products, halfstep::Compute<S>>(p).convolve(arrays...);
  });
}
template <class Products, class S>
void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight, const S* bias,
                         S* x, bool accumulate) {
  convolve_transposed_widened(p, y, weight, bias, x, accumulate, [&](auto*... arrays) {
    WindowProducts<Products, halfstep::Compute<S>>(p).convolve_transposed(arrays...);
  });
}
template <class Products, class S>
void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                     bool accumulate) {
  convolve_weight_widened(p, x, y, weight, accumulate, [&](auto*... arrays) {
    WindowProducts<Products, halfstep::Compute<S>>(p).convolve_weight(arrays...);
  });
}

}  // namespace halfstep
