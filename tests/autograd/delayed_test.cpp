// Operations on the test device: each is only asked for, and done when the host waits, so that one
// which looked at device memory on the host, or handed on a tensor too early, fails here.
#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/dropout.hpp>
#include <halfstep/autograd/gather.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/test_device.hpp>

#include "support/gradients.hpp"
#include "support/on_device.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::integers;
using hs::test::on_device;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

/// Two steps of forward and backward; the weight's gradient of the second.
template <class B>
std::vector<double> gradient_of_a_network() {
  using V = hs::Variable<double, B>;
  std::vector<double> gradient;
  for (int step = 0; step < 2; ++step) {
    const V x = on_device<B>(sample<double>({8, 6}, 1));
    const V weight = V::leaf(on_device<B>(sample<double>({6, 6}, 2)));
    const V bias = V::leaf(on_device<B>(sample<double>({6}, 3)));
    const auto targets = on_device<B>(integers({0, 1, -100, 3, 4, 5, 0, 1}));
    const auto rows = on_device<B>(integers({7, 0, 0, 3, 4, 5, 0, 1}));
    V h = hs::gelu(hs::linear(x, weight, bias));
    h = hs::dropout(h, 0.1, {.seed = 1}) + hs::softmax(h) * bias;
    h = hs::concatenate({hs::slice(h, 1, 0, 3), hs::slice(h, 1, 3, 3)}, 1);
    h = hs::gather(h, rows) - hs::mean(h, 0, true);
    h = hs::reshape(hs::transpose(hs::where(h > bias, h, hs::exp(h))), {8, 6});
    const V loss = hs::cross_entropy(h, targets, {.label_smoothing = 0.1}) + hs::mean(h * h) +
                   hs::mse_loss(h, x);
    hs::Tensor<double> one(Shape{});
    one.data()[0] = 1.0;
    hs::autograd::propagate(loss, on_device<B>(one));
    gradient = hs::test::on_host<B>(weight.gradient());
  }
  return gradient;
}

TEST(Delayed, OperationsNeverLookAtTheDeviceFromTheHost) {
  const auto expected = gradient_of_a_network<hs::backend::Reference>();
  EXPECT_EQ(gradient_of_a_network<hs::backend::Delayed>(), expected);
}

}  // namespace
