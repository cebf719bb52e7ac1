#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/dropout.hpp>
#include <halfstep/autograd/gather.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/eigen.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#include "support/gradients.hpp"

namespace {
std::atomic<long> heap_allocations{0};
}

// Every form of new that the library or its tests use comes here.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++heap_allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace hs = halfstep;
using hs::Shape;
using hs::test::integers;
using hs::test::sample;

namespace {

/// Forward and backward through most kinds of operation, with leaves that keep their gradients.
template <class B>
long allocations_of_a_step() {
  using V = hs::Variable<hs::bfloat16, B>;
  const V x = sample<hs::bfloat16>({8, 6}, 1);
  const V weight = V::leaf(sample<hs::bfloat16>({6, 6}, 2));
  const V bias = V::leaf(sample<hs::bfloat16>({6}, 3));
  const auto targets = integers({0, 1, 2, 3, 4, 5, 0, 1});
  hs::Tensor<float> one(Shape{});
  one.data()[0] = 1.0f;
  const auto run = [&] {
    V h = hs::gelu(hs::linear(x, weight, bias));
    h = hs::dropout(h, 0.1, {.seed = 1}) + hs::softmax(h) * bias;
    h = hs::concatenate({hs::slice(h, 1, 0, 3), hs::slice(h, 1, 3, 3)}, 1);
    h = hs::gather(h, targets) - hs::mean(h, 0, true);
    const auto loss = hs::cross_entropy(h, targets) + hs::mean(hs::cast<float>(h));
    hs::autograd::propagate(loss, one);
    for (const V& leaf : {weight, bias})
      static_cast<hs::autograd::LeafSlot<hs::bfloat16, B>&>(*leaf.slot()).clear();
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) run();
  const long before = heap_allocations;
  const auto requests = hs::device::Cpu::pool().use().system_requests;
  run();
  EXPECT_EQ(hs::device::Cpu::pool().use().system_requests, requests);
  return heap_allocations - before;
}

TEST(SteadyState, ForwardAndBackwardTakeNothingFromTheHeap) {
  ASSERT_GT(heap_allocations, 0) << "operator new is not counted";
  // oneDNN's own dnnl_primitive_execute takes a few small blocks a call, which is not ours to
  // count.
  EXPECT_EQ(allocations_of_a_step<hs::backend::Eigen>(), 0);
}

}  // namespace
