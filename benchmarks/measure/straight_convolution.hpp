#pragma once

// nvcc cannot read oneDNN's C++ header, and a GPU's ceiling is its own library.
#if defined(HALFSTEP_ONEDNN) && !defined(__CUDACC__)
#include <oneapi/dnnl/dnnl.hpp>

#include <memory>
#include <optional>
#include <unordered_map>

namespace measure {

/// One pass of a convolution of images by oneDNN alone, called straight, every array in the layout
/// that oneDNN likes best: the ceiling of our own. It shares nothing with the library.
class StraightConvolution {
 public:
  enum class Pass { forward, data, weight };
  struct Problem {
    dnnl_dim_t batch, channels, filters, extent, kernel;  ///< square images, no padding
  };

  StraightConvolution(const Problem& p, Pass pass, dnnl::memory::data_type type)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using namespace dnnl;
    const auto any = memory::format_tag::any;
    const memory::dim out = p.extent - p.kernel + 1;
    const memory::desc x({p.batch, p.channels, p.extent, p.extent}, type, any);
    const memory::desc y({p.batch, p.filters, out, out}, type, any);
    const memory::desc weight({p.filters, p.channels, p.kernel, p.kernel}, type, any);
    const memory::dims stride{1, 1}, padding{0, 0};
    const auto direct = algorithm::convolution_direct;
    const auto training = prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    const convolution_forward::primitive_desc forward(engine_, training, direct, x, weight, y,
                                                      stride, padding, padding);
    const auto to_data = [&] {
      return convolution_backward_data::primitive_desc(engine_, direct, x, weight, y, stride,
                                                       padding, padding, forward);
    };
    const auto to_weight = [&] {
      return convolution_backward_weights::primitive_desc(engine_, direct, x, weight, y, stride,
                                                          padding, padding, forward);
    };
#else
    const convolution_forward::primitive_desc forward(
        {training, direct, x, weight, y, stride, padding, padding}, engine_);
    const auto to_data = [&] {
      return convolution_backward_data::primitive_desc(
          {direct, x, weight, y, stride, padding, padding}, engine_, forward);
    };
    const auto to_weight = [&] {
      return convolution_backward_weights::primitive_desc(
          {direct, x, weight, y, stride, padding, padding}, engine_, forward);
    };
#endif
    switch (pass) {
      case Pass::forward:
        primitive_ = convolution_forward(forward);
        add(DNNL_ARG_SRC, forward.src_desc());
        add(DNNL_ARG_WEIGHTS, forward.weights_desc());
        add(DNNL_ARG_DST, forward.dst_desc());
        break;
      case Pass::data: {
        const auto description = to_data();
        primitive_ = convolution_backward_data(description);
        add(DNNL_ARG_DIFF_SRC, description.diff_src_desc());
        add(DNNL_ARG_WEIGHTS, description.weights_desc());
        add(DNNL_ARG_DIFF_DST, description.diff_dst_desc());
        break;
      }
      case Pass::weight: {
        const auto description = to_weight();
        primitive_ = convolution_backward_weights(description);
        add(DNNL_ARG_SRC, description.src_desc());
        add(DNNL_ARG_DIFF_WEIGHTS, description.diff_weights_desc());
        add(DNNL_ARG_DIFF_DST, description.diff_dst_desc());
        break;
      }
    }
  }

  /// On memory of its own, whose bits are a value of about 1 in either type.
  void operator()() const {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  void add(int argument, const dnnl::memory::desc& description) {
    const dnnl::memory memory(description, engine_);
    auto* const words = static_cast<unsigned short*>(memory.get_data_handle());
    for (std::size_t i = 0; i < description.get_size() / sizeof(*words); ++i)
      words[i] = static_cast<unsigned short>(0x3F80 + i % 61);
    arguments_.emplace(argument, memory);
  }

  dnnl::engine engine_;
  mutable dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace measure
#endif
