#include <halfstep/autograd/recurrent.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/backend/test_device.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::integers;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

template <class B>
using Settings = hs::RecurrentSettings<B>;
using Reference = hs::backend::Reference;

struct Sizes {
  Index batch, time, in, hidden;
};

/// Both kinds of layer, by the number of their gates.
template <class S, class B>
hs::Variable<S, B> layer(Index gates, const hs::Variable<S, B>& x, const hs::Variable<S, B>& w,
                         const hs::Variable<S, B>& v, const hs::Variable<S, B>& b,
                         const hs::Variable<S, B>& c, const Settings<B>& settings = {}) {
  return gates == 4 ? hs::lstm(x, w, v, b, c, settings) : hs::gru(x, w, v, b, c, settings);
}

void expect_recurrent_gradients(const Sizes& size, const Settings<Reference>& settings) {
  for (const Index gates : {4, 3}) {
    SCOPED_TRACE(testing::Message() << gates << " gates, " << size.batch << " " << size.time << " "
                                    << size.in << " " << size.hidden);
    const Index sums = gates * size.hidden;
    expect_gradients([&](const Exact& x, const Exact& w, const Exact& v, const Exact& b,
                         const Exact& c) { return layer(gates, x, w, v, b, c, settings); },
                     sample<double>({size.batch, size.time, size.in}, 1),
                     sample<double>({sums, size.in}, 2, -1, 1),
                     sample<double>({sums, size.hidden}, 3, -1, 1),
                     sample<double>({sums}, 4, -1, 1), sample<double>({sums}, 5, -1, 1));
  }
}

TEST(Recurrent, Gradients) {
  expect_recurrent_gradients({2, 3, 4, 5}, {});
  expect_recurrent_gradients({1, 1, 1, 1}, {});
  expect_recurrent_gradients({3, 2, 1, 2}, {.reverse = true});
  expect_recurrent_gradients({1, 1, 2, 3}, {.reverse = true});
}

TEST(Recurrent, GradientsOfPaddedSequences) {
  expect_recurrent_gradients({3, 4, 2, 3}, {.lengths = integers({2, 4, 1})});
  expect_recurrent_gradients({3, 4, 2, 3}, {.reverse = true, .lengths = integers({2, 4, 1})});
}

TEST(Recurrent, MayGoWithoutBiases) {
  for (const Index gates : {4, 3}) {
    const Exact x(sample<double>({2, 3, 2}, 1)), w(sample<double>({gates * 2, 2}, 2)),
        v(sample<double>({gates * 2, 2}, 3));
    hs::Tensor<double> zero(Shape{gates * 2});
    for (double& value : zero.span()) value = 0.0;
    EXPECT_EQ(to_doubles(layer(gates, x, w, v, Exact(), Exact()).value()),
              to_doubles(layer(gates, x, w, v, Exact(zero), Exact(zero)).value()));
  }
}

TEST(Recurrent, TreatsAPaddedSequenceAsIfItWereAlone) {
  for (const Index gates : {4, 3})
    for (const bool reverse : {false, true}) {
      SCOPED_TRACE(testing::Message() << gates << " gates, reverse " << reverse);
      const auto x = sample<double>({2, 5, 3}, 1);
      const Exact w(sample<double>({gates * 4, 3}, 2)), v(sample<double>({gates * 4, 4}, 3)),
          b(sample<double>({gates * 4}, 4)), c(sample<double>({gates * 4}, 5));
      const Exact both =
          layer(gates, Exact(x), w, v, b, c, {.reverse = reverse, .lengths = integers({3, 5})});
      const Exact alone = layer(gates, hs::slice(hs::slice(Exact(x), 0, 0, 1), 1, 0, 3), w, v, b, c,
                                {.reverse = reverse});
      const auto padded = to_doubles(both.value()), plain = to_doubles(alone.value());
      for (std::size_t i = 0; i < 20; ++i)
        EXPECT_EQ(padded[i], i < plain.size() ? plain[i] : 0.0) << i;
    }
}

TEST(Recurrent, InReverseIsTheSameOnTheReversedSequence) {
  const auto x = sample<double>({1, 3, 2}, 1);
  hs::Tensor<double> mirrored(x.shape());
  for (Index t = 0; t < 3; ++t)
    for (Index i = 0; i < 2; ++i) mirrored.data()[t * 2 + i] = x.data()[(2 - t) * 2 + i];
  const Exact w(sample<double>({8, 2}, 2)), v(sample<double>({8, 2}, 3));
  const auto forward = to_doubles(hs::lstm(Exact(mirrored), w, v).value());
  const auto reverse = to_doubles(hs::lstm(Exact(x), w, v, {}, {}, {.reverse = true}).value());
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(forward[t * 2 + i], reverse[(2 - t) * 2 + i]);
}

TEST(Recurrent, KeepsItsStateInFp32) {
  // The forget gate is 1 and each step adds 2^-9 to the cell: a bfloat16 cell stalls at 1/2.
  using V = hs::Variable<hs::bfloat16, Reference>;
  const auto weight = hs::test::values<hs::bfloat16>({0, 0, 0, 0}, {4, 1});
  const auto bias = hs::test::values<hs::bfloat16>({64, 64, 0x1p-9, 64}, {4});
  hs::Tensor<hs::bfloat16> x({1, 1024, 1});
  for (auto& value : x.span()) value = hs::bfloat16(0.0f);
  const V y = hs::lstm(V(x), V(weight), V(weight), V(bias));
  // tanh(1024 tanh(2^-9)), which the output rounds.
  EXPECT_NEAR(static_cast<double>(static_cast<float>(y.value().data()[1023])), std::tanh(2.0),
              0x1p-8);
}

/// The gradients of a layer on a backend.
template <class B>
std::vector<double> gradients_of(Index gates) {
  const auto on = [](const auto& host) {
    using Element = typename std::decay_t<decltype(host)>::Element;
    hs::TensorOf<Element, B> tensor(host.shape());
    B::upload(host.span(), tensor.data());
    return tensor;
  };
  using V = hs::Variable<double, B>;
  const V x = V::leaf(on(sample<double>({2, 3, 2}, 1))),
          w = V::leaf(on(sample<double>({gates * 2, 2}, 2))),
          v = V::leaf(on(sample<double>({gates * 2, 2}, 3)));
  const V y = layer(gates, x, w, v, V(), V(), Settings<B>{true, on(integers({3, 2}))});
  hs::autograd::propagate(y, on(sample<double>({2, 3, 2}, 4)));
  std::vector<double> all;
  for (const V& leaf : {x, w, v}) {
    std::vector<double> gradient(static_cast<std::size_t>(leaf.size()));
    B::download(leaf.gradient().data(), std::span<double>(gradient));
    all.insert(all.end(), gradient.begin(), gradient.end());
  }
  return all;
}

TEST(Recurrent, NeverLooksAtTheDeviceFromTheHost) {
  for (const Index gates : {4, 3})
    EXPECT_EQ(gradients_of<hs::backend::Delayed>(gates), gradients_of<Reference>(gates));
}

template <class Kind, class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Kind& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Recurrent, NamesShapesLayerAndRemedy) {
  const Exact x(sample<double>({2, 3, 4}, 1)), w(sample<double>({8, 4}, 2)),
      v(sample<double>({8, 2}, 3));
  const hs::NameScope scope("encoder");
  const auto lengths = [&](std::initializer_list<std::int32_t> values) {
    return message_of<hs::Error>([&] { hs::lstm(x, w, v, {}, {}, {.lengths = integers(values)}); });
  };
  for (const char* part : {"lstm of 'encoder'", "[1]", "[2]", "each sequence"})
    EXPECT_NE(lengths({3}).find(part), std::string::npos) << lengths({3});
  for (const char* part : {"lstm of 'encoder'", "length 4", "sequence 1", "[1, 3]"})
    EXPECT_NE(lengths({3, 4}).find(part), std::string::npos) << lengths({3, 4});
  EXPECT_NE(lengths({0, 3}), "nothing was thrown");
  const auto shapes = [&](const Exact& a, const Exact& b, const Exact& c) {
    return message_of<hs::ShapeError>([&] { hs::lstm(a, b, c); });
  };
  for (const char* part : {"[2, 3, 5] double", "[batch, time, 4]", "[8, 4]"})
    EXPECT_NE(shapes(Exact(sample<double>({2, 3, 5}, 1)), w, v).find(part), std::string::npos);
  EXPECT_NE(shapes(x, w, Exact(sample<double>({6, 2}, 1))), "nothing was thrown");
  EXPECT_NE(shapes(x, Exact(sample<double>({6, 4}, 1)), v), "nothing was thrown");
  EXPECT_NE(shapes(Exact(sample<double>({2, 4}, 1)), w, v), "nothing was thrown");
  EXPECT_NE(message_of<hs::ShapeError>([&] { hs::lstm(x, w, v, Exact(sample<double>({4}, 1))); }),
            "nothing was thrown");
}

}  // namespace
