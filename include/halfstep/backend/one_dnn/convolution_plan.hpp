#pragma once

#include <halfstep/backend/one_dnn/plan_cache.hpp>
#include <halfstep/ops/convolution.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn {

/// All that a plan depends on.
struct ConvolutionKey {
  ConvolutionProblem problem;
  ConvolutionPass pass = ConvolutionPass::forward;
  dnnl_data_type_t in = dnnl_f32;   ///< of both operands, and of a forward pass's bias
  dnnl_data_type_t out = dnnl_f32;  ///< of the result
  bool bias = false;                ///< of a forward pass
  int threads = 1;                  ///< oneDNN decides how to divide the work when the plan is made

  friend bool operator==(const ConvolutionKey&, const ConvolutionKey&) = default;

  std::uint64_t hash() const {
    const ConvolutionProblem& p = problem;
    return hash_of({p.batch, p.channels, p.filters, p.groups, p.input.height, p.input.width,
                    p.kernel.size(), p.stride.size(), static_cast<Index>(pass), Index{in},
                    Index{out}});
  }
};

/// A pass of a convolution of one shape, ready to run. The primitive works on channels last, three
/// to four times as fast as on channels first in oneDNN 2.6, and on weights in a layout of its own;
/// what lies otherwise outside is reordered on its way.
class ConvolutionPlan {
 public:
  using Key = ConvolutionKey;

  explicit ConvolutionPlan(const Key& key) {
    const ConvolutionProblem& p = key.problem;
    const bool forward = key.pass == ConvolutionPass::forward;
    const auto type = [&](ConvolutionPass result) { return key.pass == result ? key.out : key.in; };
    const auto x_type = type(ConvolutionPass::data);
    const auto y_type = type(ConvolutionPass::forward);
    const auto weight_type = type(ConvolutionPass::weight);
    const MemoryDescription x = images(p.batch, p.channels, p.input, last, x_type);
    const MemoryDescription y = images(p.batch, p.filters, p.output, last, y_type);
    const Weights weights(p);
    const MemoryDescription weight(weights.rank(), weights.extents(), weight_type);
    const dnnl_dim_t filters[1] = {p.filters};
    const dnnl_dim_t one[1] = {1};
    const MemoryDescription bias(1, filters, key.in, one);
    const Owned<dnnl_primitive_desc_t> description =
        describe(key, x.get(), weight.get(), key.bias ? bias.get() : nullptr, y.get());
    if (!description) return;
    const char* implementation = "";
    check(dnnl_primitive_desc_query(description.get(), dnnl_query_impl_info_str, 0,
                                    static_cast<void*>(&implementation)),
          "dnnl_primitive_desc_query");
    // oneDNN's own plain loops are far slower than products of windows.
    if (std::string_view(implementation).substr(0, 3) == "ref") return;

    dnnl_primitive_t primitive = nullptr;
    check(dnnl_primitive_create(&primitive, description.get()), "dnnl_primitive_create");
    primitive_.reset(primitive);
    const bool data = key.pass == ConvolutionPass::data;
    const bool gradient = key.pass == ConvolutionPass::weight;
    add(data ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC,
        images(p.batch, p.channels, p.input, p.layout, x_type).get(), x.get(), data);
    const auto chosen = dnnl_primitive_desc_query_md(
        description.get(), gradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    add(gradient ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
        MemoryDescription(weights.rank(), weights.extents(), weight_type, weights.strides()).get(),
        chosen, gradient);
    add(forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST,
        images(p.batch, p.filters, p.output, p.layout, y_type).get(), y.get(), forward);
    if (key.bias) add(DNNL_ARG_BIAS, bias.get(), bias.get(), false);
  }

  /// Whether oneDNN has a good implementation on this processor.
  bool serves() const { return static_cast<bool>(primitive_); }

  /// One of x, weight and y is the result.
  void run(dnnl_stream_t stream, const void* x, const void* weight, const void* y,
           const void* bias) {
    const Tensor<std::byte> scratch(Shape{static_cast<Index>(scratch_bytes_)});
    const std::array<const void*, 4> addresses{x, weight, y, bias};
    for (std::size_t i = 0; i < count_; ++i) {
      Operand& operand = operands_[i];
      set(operand.outside, addresses[i]);
      if (operand.reorder) {
        set(operand.inside, scratch.data() + operand.scratch_offset);
        if (!operand.result) reorder(stream, operand, operand.outside, operand.inside);
      }
    }
    check(dnnl_primitive_execute(primitive_.get(), stream, static_cast<int>(count_),
                                 arguments_.data()),
          "dnnl_primitive_execute");
    for (const Operand& operand : operands_)
      if (operand.reorder && operand.result)
        reorder(stream, operand, operand.inside, operand.outside);
  }

 private:
  static constexpr ImageLayout last = ImageLayout::channels_last;

  struct Operand {
    Owned<dnnl_memory_t> outside;
    Owned<dnnl_memory_t> inside;      ///< with `reorder`
    Owned<dnnl_primitive_t> reorder;  ///< where the primitive wants another layout
    std::size_t scratch_offset = 0;
    bool result = false;
  };

  /// Extents and plain strides of [filters, channels / groups, kernel], with an axis for groups
  /// where there are several.
  class Weights {
   public:
    explicit Weights(const ConvolutionProblem& p)
        : first_(p.groups == 1 ? 1 : 0),
          extents_{p.groups, p.filters / p.groups, p.channels / p.groups, p.kernel.height,
                   p.kernel.width} {
      dnnl_dim_t stride = 1;
      for (std::size_t axis = extents_.size(); axis-- > 0; stride *= extents_[axis])
        strides_[axis] = stride;
    }
    int rank() const { return 5 - static_cast<int>(first_); }
    const dnnl_dim_t* extents() const { return extents_.data() + first_; }
    const dnnl_dim_t* strides() const { return strides_.data() + first_; }

   private:
    std::size_t first_;
    std::array<dnnl_dim_t, 5> extents_;
    std::array<dnnl_dim_t, 5> strides_{};
  };

  static MemoryDescription images(Index batch, Index channels, const Extent2d& extent,
                                  ImageLayout layout, dnnl_data_type_t type) {
    // One channel, or one position, lies the same either way.
    const bool same = channels == 1 || extent.size() == 1;
    const ImageStrides s(same ? last : layout, channels, extent);
    const std::array<dnnl_dim_t, 4> extents{batch, channels, extent.height, extent.width};
    const std::array<dnnl_dim_t, 4> strides{s.batch, s.channel, s.row, s.column};
    return {4, extents.data(), type, strides.data()};
  }

  /// Nothing where oneDNN has no such pass.
  static Owned<dnnl_primitive_desc_t> describe(const ConvolutionKey& key, MemoryHandle x,
                                               MemoryHandle weight, MemoryHandle bias,
                                               MemoryHandle y) {
    const ConvolutionProblem& p = key.problem;
    const std::array<dnnl_dim_t, 2> strides{p.stride.height, p.stride.width};
    const std::array<dnnl_dim_t, 2> padding{p.padding.height, p.padding.width};
    const std::array<dnnl_dim_t, 2> dilation{p.dilation.height - 1, p.dilation.width - 1};
    const auto algorithm = dnnl_convolution_direct;
    dnnl_primitive_desc_t created = nullptr;
#if DNNL_VERSION_MAJOR >= 3
    // The backward passes ask for the forward pass they belong to.
    Owned<dnnl_primitive_desc_t> hint;
    if (key.pass != ConvolutionPass::forward) {
      dnnl_primitive_desc_t forward = nullptr;
      if (dnnl_convolution_forward_primitive_desc_create(
              &forward, engine(), dnnl_forward_training, algorithm, x, weight, nullptr, y,
              strides.data(), dilation.data(), padding.data(), padding.data(),
              nullptr) != dnnl_success)
        return nullptr;
      hint.reset(forward);
    }
    const dnnl_status_t status =
        key.pass == ConvolutionPass::forward
            ? dnnl_convolution_forward_primitive_desc_create(
                  &created, engine(), dnnl_forward_training, algorithm, x, weight, bias, y,
                  strides.data(), dilation.data(), padding.data(), padding.data(), nullptr)
        : key.pass == ConvolutionPass::data
            ? dnnl_convolution_backward_data_primitive_desc_create(
                  &created, engine(), algorithm, x, weight, y, strides.data(), dilation.data(),
                  padding.data(), padding.data(), hint.get(), nullptr)
            : dnnl_convolution_backward_weights_primitive_desc_create(
                  &created, engine(), algorithm, x, weight, nullptr, y, strides.data(),
                  dilation.data(), padding.data(), padding.data(), hint.get(), nullptr);
#else
    dnnl_convolution_desc_t pass;
    dnnl_status_t status =
        key.pass == ConvolutionPass::forward
            ? dnnl_dilated_convolution_forward_desc_init(
                  &pass, dnnl_forward_training, algorithm, x, weight, bias, y, strides.data(),
                  dilation.data(), padding.data(), padding.data())
        : key.pass == ConvolutionPass::data
            ? dnnl_dilated_convolution_backward_data_desc_init(&pass, algorithm, x, weight, y,
                                                               strides.data(), dilation.data(),
                                                               padding.data(), padding.data())
            : dnnl_dilated_convolution_backward_weights_desc_init(
                  &pass, algorithm, x, weight, nullptr, y, strides.data(), dilation.data(),
                  padding.data(), padding.data());
    if (status == dnnl_success)
      status = dnnl_primitive_desc_create(&created, &pass, nullptr, engine(), nullptr);
#endif
    Owned<dnnl_primitive_desc_t> description(created);
    if (status != dnnl_success) description.release();
    return description;
  }

  void add(int argument, MemoryHandle outside, MemoryHandle inside, bool result) {
    Operand& operand = operands_[count_];
    operand.result = result;
    operand.outside = memory(outside);
    if (dnnl_memory_desc_equal(outside, inside) == 0) {
      operand.inside = memory(inside);
      operand.scratch_offset = scratch_bytes_;
      scratch_bytes_ += (dnnl_memory_desc_get_size(inside) + 63) / 64 * 64;
      dnnl_primitive_desc_t created = nullptr;
      check(dnnl_reorder_primitive_desc_create(&created, result ? inside : outside, engine(),
                                               result ? outside : inside, engine(), nullptr),
            "dnnl_reorder_primitive_desc_create");
      const Owned<dnnl_primitive_desc_t> description(created);
      dnnl_primitive_t reorder = nullptr;
      check(dnnl_primitive_create(&reorder, description.get()), "dnnl_primitive_create");
      operand.reorder.reset(reorder);
    }
    arguments_[count_++] = {argument, (operand.inside ? operand.inside : operand.outside).get()};
  }
  static Owned<dnnl_memory_t> memory(MemoryHandle description) {
    dnnl_memory_t created = nullptr;
    check(dnnl_memory_create(&created, description, engine(), DNNL_MEMORY_NONE),
          "dnnl_memory_create");
    return Owned<dnnl_memory_t>(created);
  }
  static void set(const Owned<dnnl_memory_t>& memory, const void* address) {
    // oneDNN takes no constant memory, and does not write to its sources.
    check(dnnl_memory_set_data_handle(memory.get(), const_cast<void*>(address)),
          "dnnl_memory_set_data_handle");
  }
  static void reorder(dnnl_stream_t stream, const Operand& operand,
                      const Owned<dnnl_memory_t>& from, const Owned<dnnl_memory_t>& to) {
    const std::array<dnnl_exec_arg_t, 2> arguments{
        {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}}};
    check(dnnl_primitive_execute(operand.reorder.get(), stream, 2, arguments.data()),
          "dnnl_primitive_execute");
  }

  Owned<dnnl_primitive_t> primitive_;
  std::array<Operand, 4> operands_;
  std::array<dnnl_exec_arg_t, 4> arguments_{};
  std::size_t count_ = 0;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace halfstep
