#include <halfstep/backend/default.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "numbers.hpp"

namespace hs = halfstep;
using B = hs::backend::Default;

namespace {

std::atomic<std::size_t> allocations{0};

struct Same {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a) const {
    return a;
  }
};
struct Halve {
  template <class N>
  HALFSTEP_INLINE void operator()(N& x) const {
    x = x * N(0.5f);
  }
};

/// What a call asks of operator new once it has run twice.
template <class Call>
std::size_t steady_allocations(const Call& call) {
  call();
  call();
  const std::size_t before = allocations.load();
  call();
  return allocations.load() - before;
}

}  // namespace

// Every form of operator new comes through here; inlined, GCC takes malloc and delete for a
// mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST(Allocation, OurLoopsAskForNothingInASteadyState) {
  constexpr hs::Index rows = 600, n = 300;
  auto x = numbers::normal_numbers<hs::float16>(rows * n, 1);
  std::vector<hs::float16> y(x.size());
  std::vector<float> sums(x.size());
  std::vector<std::int32_t> index(rows, 3);
  hs::FiniteCheck check;
  EXPECT_EQ(
      steady_allocations([&] {
        B::for_each_element(rows * n, Halve{}, hs::InOut<hs::float16>{x.data()});
        B::reduce<hs::Reduction::sum>({.reduced = rows, .inner = n}, Same{}, sums.data(), x.data());
        B::reduce<hs::Reduction::sum>({.reduced = rows * n}, Same{}, sums.data(), x.data());
        B::softmax(rows, n, false, x.data(), y.data());
        B::strided_copy({.extents = {n, rows}, .from_strides = {1, n}, .to_strides = {rows, 1}},
                        x.data(), y.data());
        B::scatter_add_rows(rows, n, rows, x.data(), index.data(), y.data());
        B::check_finite(rows * n, x.data(), &check);
      }),
      0u);
}

TEST(Allocation, AProductAsksForNoMoreThanItsLibrary) {
  const auto x = numbers::normal_numbers<hs::float16>(64 * 64, 1);
  std::vector<hs::float16> y(x.size());
  const hs::GemmProblem p{.m = 64, .n = 64, .k = 64};
  const hs::float16* const no_bias = nullptr;
  std::size_t of_the_library = 0;
#if defined(HALFSTEP_ONEDNN)
  const std::vector<float> a(64 * 64);
  std::vector<float> c(64 * 64);
  hs::backend::one_dnn::MatmulKey key;
  key.problem = p;
  key.threads = hs::threads();
  auto& cache = hs::backend::one_dnn::PlanCache<hs::backend::one_dnn::MatmulPlan>::of_this_thread();
  of_the_library = steady_allocations(
      [&] { cache.run(cache.plan(key), a.data(), a.data(), c.data(), nullptr); });
#endif
  EXPECT_EQ(steady_allocations([&] { B::gemm<float>(p, x.data(), x.data(), y.data(), no_bias); }),
            of_the_library);
  RecordProperty("allocations_of_the_library", static_cast<int>(of_the_library));
}
