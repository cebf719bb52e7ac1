#pragma once

#include <halfstep/backend/reference/add_product.hpp>
#include <halfstep/ops/convolution.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::reference {

/// Calls f(x, y, weight) with the positions of the three factors of every product of a convolution;
/// those of padding are left out.
template <class F>
void for_each_product(const ConvolutionProblem& p, const F& f) {
  const ImageStrides x(p.layout, p.channels, p.input);
  const ImageStrides y(p.layout, p.filters, p.output);
  const Index channels = p.channels / p.groups;
  for (Index n = 0; n < p.batch; ++n)
    for (Index filter = 0; filter < p.filters; ++filter)
      for (Index i = 0; i < p.output.height; ++i)
        for (Index j = 0; j < p.output.width; ++j)
          for (Index c = 0; c < channels; ++c)
            for (Index u = 0; u < p.kernel.height; ++u)
              for (Index v = 0; v < p.kernel.width; ++v) {
                const Index row =
                    window_begin(i, p.stride.height, p.padding.height) + u * p.dilation.height;
                const Index column =
                    window_begin(j, p.stride.width, p.padding.width) + v * p.dilation.width;
                if (row < 0 || row >= p.input.height || column < 0 || column >= p.input.width)
                  continue;
                const Index channel = filter / (p.filters / p.groups) * channels + c;
                f(n * x.batch + channel * x.channel + row * x.row + column * x.column,
                  n * y.batch + filter * y.channel + i * y.row + j * y.column,
                  ((filter * channels + c) * p.kernel.height + u) * p.kernel.width + v);
              }
}

/// to = sums + bias, rounded once, or += where `accumulate`; the bias belongs to a channel.
template <class Accumulator, class S>
void store_sums(const std::vector<Accumulator>& sums, Index channel_stride, Index channels,
                const S* bias, S* to, bool accumulate) {
  using Scalar = halfstep::Compute<Accumulator>;
  for (std::size_t at = 0; at < sums.size(); ++at) {
    Scalar value = storage_cast<Scalar>(sums[at]);
    const Index channel = static_cast<Index>(at) / channel_stride % channels;
    if (bias != nullptr) value += storage_cast<Scalar>(bias[channel]);
    if (accumulate) value += storage_cast<Scalar>(to[at]);
    to[at] = storage_cast<S>(value);
  }
}

template <class Accumulator>
std::vector<Accumulator> zeros(Index count) {
  return std::vector<Accumulator>(static_cast<std::size_t>(count), storage_cast<Accumulator>(0.0f));
}

template <class Compute, class S>
void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias, S* y,
              bool accumulate) {
  auto sums = zeros<Compute>(p.y_size());
  for_each_product(p, [&](Index from, Index to, Index w) {
    Compute& sum = sums[static_cast<std::size_t>(to)];
    sum = add_product(sum, x[from], weight[w]);
  });
  store_sums(sums, ImageStrides(p.layout, p.filters, p.output).channel, p.filters, bias, y,
             accumulate);
}

template <class Compute, class S>
void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight, const S* bias,
                         S* x, bool accumulate) {
  auto sums = zeros<Compute>(p.x_size());
  for_each_product(p, [&](Index to, Index from, Index w) {
    Compute& sum = sums[static_cast<std::size_t>(to)];
    sum = add_product(sum, y[from], weight[w]);
  });
  store_sums(sums, ImageStrides(p.layout, p.channels, p.input).channel, p.channels, bias, x,
             accumulate);
}

template <class Compute, class S>
void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                     bool accumulate) {
  auto sums = zeros<Compute>(p.weight_size());
  for_each_product(p, [&](Index from, Index upstream, Index w) {
    Compute& sum = sums[static_cast<std::size_t>(w)];
    sum = add_product(sum, x[from], y[upstream]);
  });
  store_sums(sums, 1, 1, static_cast<const S*>(nullptr), weight, accumulate);
}

}  // namespace halfstep
