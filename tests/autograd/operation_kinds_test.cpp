#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/attention.hpp>
#include <halfstep/autograd/batch_norm.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/convolution.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/ctc_loss.hpp>
#include <halfstep/autograd/custom.hpp>
#include <halfstep/autograd/dropout.hpp>
#include <halfstep/autograd/feed_forward.hpp>
#include <halfstep/autograd/gather.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/autograd/normalization.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/pool.hpp>
#include <halfstep/autograd/recurrent.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/precision/operation_table.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using test::sample;
using B = backend::Reference;
template <class S>
using V = Variable<S, B>;
using Name = std::pair<std::string_view, std::string_view>;

/// What operations are tried on, in either storage type the same numbers: x is of both signs, p is
/// positive, both [4, 8].
template <class S>
struct Inputs {
  V<S> x = test::converted<S>(sample<float16>({4, 8}, 1, -3.0, 3.0));
  V<S> y = test::converted<S>(sample<float16>({4, 8}, 2, -3.0, 3.0));
  V<S> p = test::converted<S>(sample<float16>({4, 8}, 3, 0.25, 3.0));
  Tensor<std::int32_t> rows = test::integers({3, 0, 3, 1});
};

template <class S>
V<S> identity(Index n) {
  Tensor<S> matrix(Shape{n, n});
  for (Index i = 0; i < n * n; ++i)
    matrix.data()[i] = storage_cast<S>(i % (n + 1) == 0 ? 1.0f : 0.0f);
  return matrix;
}

/// Shows that an operation does what its row says, by running it on 16-bit numbers and on the same
/// numbers in FP32: what is computed in FP32 and rounded once is the rounded FP32 result.
class Shown {
 public:
  template <class F>
  void operator()(std::string_view name, const F& f, std::string_view form = "") {
    EXPECT_TRUE(seen_.insert({name, form}).second) << name << " twice";
    const auto half = f(Inputs<float16>{});
    const auto wide = f(Inputs<float>{});
    using Storage = typename decltype(half)::Storage;
    ASSERT_EQ(half.shape(), wide.shape()) << name;
    for (const OperationPrecision& row : operation_table) {
      if (row.name != name || row.form != form) continue;
      EXPECT_EQ((std::is_same_v<Storage, float>), row.kind == OperationKind::fp32_result) << name;
      for (Index i = 0; i < half.size(); ++i) {
        const auto exact = storage_cast<float>(wide.value().data()[i]);
        const auto got = storage_cast<float>(half.value().data()[i]);
        const bool rounds = row.kind != OperationKind::moves_data;
        EXPECT_EQ(got, rounds ? static_cast<float>(storage_cast<Storage>(exact)) : exact)
            << name << " " << form << ", element " << i;
      }
    }
  }
  const std::set<Name>& seen() const { return seen_; }

 private:
  std::set<Name> seen_;
};

TEST(OperationKind, OfEveryOperationIsWhatItDoes) {
  Shown show;
  show("linear", [](const auto& in) { return linear(in.x, in.y); });
  // The hidden numbers are those of x, or 0, and 16 bits hold them: one rounding remains to be
  // seen.
  show("feed_forward", []<class S>(const Inputs<S>& in) {
    return feed_forward(in.x, identity<S>(8), V<S>(), in.y, V<S>(), HiddenActivation::relu);
  });
  show("matmul", [](const auto& in) { return matmul(in.x, in.y, {.b = true}); });
  show("conv1d", [](const auto& in) {
    return conv1d(reshape(in.x, {2, 4, 4}), reshape(in.y, {4, 4, 2}));
  });
  show("conv2d", [](const auto& in) {
    return conv2d(reshape(in.x, {1, 2, 4, 4}), reshape(in.y, {4, 2, 2, 2}));
  });
  show("conv_transpose2d", [](const auto& in) {
    return conv_transpose2d(reshape(in.x, {1, 2, 4, 4}), reshape(in.y, {2, 4, 2, 2}));
  });

  // One step: later ones read what the first has rounded.
  const auto step = [](const auto& x) { return reshape(x, {4, 1, 8}); };
  show("lstm", [&](const auto& in) { return lstm(step(in.x), in.y, slice(in.y, 1, 0, 1)); });
  show("gru", [&](const auto& in) {
    return gru(step(in.x), slice(in.y, 0, 0, 3), slice(slice(in.y, 0, 0, 3), 1, 0, 1));
  });
  show("attention", [](const auto& in) { return attention(in.x, in.y, in.p); });

  show("relu", [](const auto& in) { return relu(in.x); });
  show("leaky_relu", [](const auto& in) { return leaky_relu(in.x); });
  show("elu", [](const auto& in) { return elu(in.x); });
  show("gelu", [](const auto& in) { return gelu(in.x); });
  show("silu", [](const auto& in) { return silu(in.x); });
  show("sigmoid", [](const auto& in) { return sigmoid(in.x); });
  show("tanh", [](const auto& in) { return tanh(in.x); });
  show("softplus", [](const auto& in) { return softplus(in.x, 1.5); });
  show("exp", [](const auto& in) { return exp(in.x); });
  show("log", [](const auto& in) { return log(in.p); });
  show("sqrt", [](const auto& in) { return sqrt(in.p); });
  show("abs", [](const auto& in) { return abs(in.x); });
  show("clamp", [](const auto& in) { return clamp(in.x, -0.3, 0.7); });
  show("dropout", [](const auto& in) { return dropout(in.x, 0.3, {.seed = 1}); });
  show("softmax", [](const auto& in) { return softmax(in.x); });
  show("log_softmax", [](const auto& in) { return log_softmax(in.x); });
  show("layer_norm", [](const auto& in) { return layer_norm(in.x, {8}); });
  show("rms_norm", [](const auto& in) { return rms_norm(in.x, {8}); });
  show("group_norm", [](const auto& in) { return group_norm(in.x, 2); });
  show("batch_norm", [](const auto& in) { return batch_norm(in.x).y; });
  show(
      "sum", [](const auto& in) { return sum(in.x, -1); }, "over an axis");
  show(
      "mean", [](const auto& in) { return mean(in.x, 0); }, "over an axis");
  show("avg_pool2d", [](const auto& in) { return avg_pool2d(reshape(in.x, {2, 1, 4, 4}), 2); });
  show("global_avg_pool2d", [](const auto& in) {
    return global_avg_pool2d(reshape(in.x, {2, 4, 2, 2}));
  });
  show(
      "cast",
      []<class S>(const Inputs<S>& in) {
        using To = std::conditional_t<std::is_same_v<S, float>, float, bfloat16>;
        return cast<To>(in.x);
      },
      "to the type that it names");

  show("+", [](const auto& in) { return in.x + in.y; });
  show("-", [](const auto& in) { return in.x - in.y; });
  show("*", [](const auto& in) { return in.x * in.y; });
  show("/", [](const auto& in) { return in.x / in.p; });
  show("<", [](const auto& in) { return in.x < in.y; });
  show("<=", [](const auto& in) { return in.x <= in.y; });
  show("min", [](const auto& in) { return min(in.x, in.y); });
  show("max", [](const auto& in) { return max(in.x, in.y); });
  show("pow", [](const auto& in) { return pow(in.p, in.x); });
  show("elementwise", [](const auto& in) {
    return elementwise([](const auto& a, const auto& b) { return (a + b) * (a + b) * b; },
                       [](const auto& a, const auto& b) {
                         return std::array{a, b};
                       },
                       in.x, in.y);
  });

  show("cross_entropy", [](const auto& in) { return cross_entropy(in.x, in.rows); });
  show("mse_loss", [](const auto& in) { return mse_loss(in.x, in.y); });
  show("smooth_l1_loss", [](const auto& in) { return smooth_l1_loss(in.x, in.y); });
  show("bce_with_logits", [](const auto& in) { return bce_with_logits(in.x, in.p); });
  show("ctc_loss", [](const auto& in) {
    return ctc_loss(reshape(in.x, {1, 4, 8}), test::integers({3}, {1, 1}), test::integers({4}),
                    test::integers({1}));
  });
  show(
      "sum", [](const auto& in) { return sum(in.x); }, "of all elements");
  show(
      "mean", [](const auto& in) { return mean(in.x); }, "of all elements");

  show("reshape", [](const auto& in) { return reshape(in.x, {2, -1}); });
  show("transpose", [](const auto& in) { return transpose(in.x); });
  show("slice", [](const auto& in) { return slice(in.x, 1, 2, 3); });
  show("max_pool2d", [](const auto& in) { return max_pool2d(reshape(in.x, {2, 1, 4, 4}), 2); });
  show("gather", [](const auto& in) { return gather(in.x, in.rows); });
  show("embedding", [](const auto& in) { return embedding(in.x, in.rows); });
  show("where", [](const auto& in) { return where(in.x < in.y, in.x, in.p); });
  show("concatenate", [](const auto& in) { return concatenate({in.x, in.y}); });

  std::set<Name> rows;
  for (const OperationPrecision& row : operation_table) rows.insert({row.name, row.form});
  EXPECT_EQ(show.seen(), rows) << "every row of the table is shown";
}

template <class S>
V<S> filled(const Shape& shape, float value) {
  Tensor<S> tensor(shape);
  for (S& element : tensor.span()) element = storage_cast<S>(value);
  return tensor;
}
template <class S>
float first(const V<S>& y) {
  return storage_cast<float>(y.value().data()[0]);
}

// 4096 ones: a float16 sum stalls at 2048, a bfloat16 one at 256.
template <class S>
void expect_fp32_sums() {
  const V<S> ones = filled<S>({1, 4096}, 1.0f);
  EXPECT_EQ(first(matmul(ones, ones, {.b = true})), 4096.0f);
  EXPECT_EQ(first(linear(ones, ones)), 4096.0f);
  EXPECT_EQ(first(feed_forward(ones, ones, V<S>(), filled<S>({1, 1}, 1.0f), V<S>(),
                               HiddenActivation::relu)),
            4096.0f);
  EXPECT_EQ(first(conv2d(reshape(ones, {1, 64, 8, 8}), reshape(ones, {1, 64, 8, 8}))), 4096.0f);
  EXPECT_EQ(first(avg_pool2d(reshape(ones, {1, 1, 64, 64}), 64)), 1.0f);
  EXPECT_EQ(first(sum(ones, -1)), 4096.0f);
  EXPECT_EQ(first(mean(ones, -1)), 1.0f);
  EXPECT_EQ(first(softmax(ones)), 1.0f / 4096.0f);
  EXPECT_EQ(first(sum(ones)), 4096.0f);
}

TEST(OperationKind, ThatSumsDoesSoInFp32) {
  expect_fp32_sums<float16>();
  expect_fp32_sums<bfloat16>();
}

TEST(OperationKind, WithFp32InsideMayPassWhatFloat16HoldsOnItsWay) {
  // 60^3 is beyond 65504, and so is 512 times 128.
  EXPECT_EQ(first(gelu(filled<float16>({1}, 60.0f), Gelu::tanh)), 60.0f);
  EXPECT_EQ(first(mean(filled<float16>({1, 512}, 128.0f), -1)), 128.0f);
  // The sum of exponentials is e^11 + e^11.
  EXPECT_EQ(first(softmax(filled<float16>({1, 2}, 11.0f))), 0.5f);
}

TEST(OperationKind, WithAnFp32ResultHoldsWhatFloat16CanNot) {
  const V<float16> x = filled<float16>({4, 2}, 300.0f);
  const V<float16> zero = filled<float16>({4, 2}, 0.0f);
  EXPECT_EQ(first(mse_loss(x, zero)), 90000.0f);
  EXPECT_EQ(first(sum(filled<float16>({64}, 2048.0f))), 131072.0f);
  // The target lies 131008 below the other class.
  const V<float16> logits = test::values<float16>({65504, -65504}, {1, 2});
  EXPECT_EQ(first(cross_entropy(logits, test::integers({1}))), 131008.0f);
}

}  // namespace
