#pragma once

#include <halfstep/core/macros.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// In which precision an operation works, whatever its inputs are stored in. No operation does
/// arithmetic in 16 bits.
enum class OperationKind : std::uint8_t {
  product,      ///< multiplies operands as they are stored, sums in FP32, rounds once at the store
  fp32_inside,  ///< reads its inputs into FP32, computes there, rounds once at the store
  fp32_result,  ///< reads its inputs into FP32, computes there, and leaves the result in FP32
  moves_data    ///< copies elements as they are
};

/// What torch.autocast does with an operation.
enum class Autocast : std::uint8_t {
  lower,     ///< on its list of operations in float16 or bfloat16
  fp32,      ///< on its list of operations in float32
  promotes,  ///< on its list of operations in the widest type of their inputs
  unlisted,  ///< runs in the type that its inputs happen to have
  absent     ///< PyTorch has no such operation
};

/// One operation's row.
struct OperationPrecision {
  std::string_view name;  ///< as in messages
  std::string_view form;  ///< which of the operations of that name; empty where there is one
  OperationKind kind;
  bool equal_types;  ///< takes several variables, and two storage types are refused: cast<T>() one
  Autocast cuda;     ///< torch.autocast("cuda")
  Autocast cpu;      ///< torch.autocast("cpu")
};

/// Every differentiable operation and loss. PyTorch's columns are its "Autocast Op Reference"
/// (docs/source/amp.md of PyTorch 2).
inline constexpr auto operation_table = [] {
  using enum OperationKind;
  using enum Autocast;
  return std::to_array<OperationPrecision>({
      {"linear", "", product, true, lower, lower},
      {"feed_forward", "", product, true, lower, lower},
      {"matmul", "", product, true, lower, lower},
      {"lstm", "", product, true, lower, lower},
      {"gru", "", product, true, lower, lower},
      {"attention", "", product, true, lower, lower},
      {"conv1d", "", product, true, lower, lower},
      {"conv2d", "", product, true, lower, lower},
      {"conv_transpose2d", "", product, true, lower, lower},

      {"relu", "", fp32_inside, false, unlisted, unlisted},
      {"leaky_relu", "", fp32_inside, false, unlisted, unlisted},
      {"elu", "", fp32_inside, false, unlisted, unlisted},
      {"gelu", "", fp32_inside, false, unlisted, unlisted},
      {"silu", "", fp32_inside, false, unlisted, unlisted},
      {"sigmoid", "", fp32_inside, false, unlisted, unlisted},
      {"tanh", "", fp32_inside, false, unlisted, unlisted},
      {"softplus", "", fp32_inside, false, fp32, unlisted},
      {"exp", "", fp32_inside, false, fp32, unlisted},
      {"log", "", fp32_inside, false, fp32, unlisted},
      {"sqrt", "", fp32_inside, false, unlisted, unlisted},
      {"abs", "", fp32_inside, false, unlisted, unlisted},
      {"clamp", "", fp32_inside, false, unlisted, unlisted},
      {"dropout", "", fp32_inside, false, unlisted, unlisted},
      {"softmax", "", fp32_inside, false, fp32, unlisted},
      {"log_softmax", "", fp32_inside, false, fp32, unlisted},
      {"layer_norm", "", fp32_inside, false, fp32, unlisted},
      {"rms_norm", "", fp32_inside, false, unlisted, unlisted},
      {"group_norm", "", fp32_inside, false, fp32, unlisted},
      {"batch_norm", "", fp32_inside, false, unlisted, unlisted},
      {"sum", "over an axis", fp32_inside, false, fp32, unlisted},
      {"mean", "over an axis", fp32_inside, false, unlisted, unlisted},
      {"avg_pool2d", "", fp32_inside, false, unlisted, unlisted},
      {"global_avg_pool2d", "", fp32_inside, false, unlisted, unlisted},
      {"cast", "to the type that it names", fp32_inside, false, absent, absent},
      {"+", "", fp32_inside, true, unlisted, unlisted},
      {"-", "", fp32_inside, true, unlisted, unlisted},
      {"*", "", fp32_inside, true, unlisted, unlisted},
      {"/", "", fp32_inside, true, unlisted, unlisted},
      {"<", "", fp32_inside, true, unlisted, unlisted},
      {"<=", "", fp32_inside, true, unlisted, unlisted},
      {"min", "", fp32_inside, true, unlisted, unlisted},
      {"max", "", fp32_inside, true, unlisted, unlisted},
      {"pow", "", fp32_inside, true, fp32, unlisted},
      {"elementwise", "", fp32_inside, true, absent, absent},

      {"cross_entropy", "", fp32_result, false, fp32, fp32},
      {"mse_loss", "", fp32_result, true, fp32, fp32},
      {"smooth_l1_loss", "", fp32_result, true, fp32, unlisted},
      {"bce_with_logits", "", fp32_result, true, fp32, fp32},
      {"ctc_loss", "", fp32_result, false, unlisted, fp32},
      {"sum", "of all elements", fp32_result, false, fp32, unlisted},
      {"mean", "of all elements", fp32_result, false, unlisted, unlisted},

      {"reshape", "", moves_data, false, unlisted, unlisted},
      {"transpose", "", moves_data, false, unlisted, unlisted},
      {"slice", "", moves_data, false, unlisted, unlisted},
      {"max_pool2d", "", moves_data, false, unlisted, unlisted},
      {"gather", "", moves_data, false, unlisted, unlisted},
      {"embedding", "", moves_data, false, unlisted, unlisted},
      {"where", "", moves_data, true, unlisted, unlisted},
      {"concatenate", "", moves_data, true, unlisted, promotes},
  });
}();

}  // namespace halfstep
