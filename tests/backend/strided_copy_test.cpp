#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::Index;
using hs::backend::CpuLoops;
using hs::backend::Reference;

namespace {

template <class From, class To>
void expect_like_reference(const hs::StridedCopy& copy, Index from_size, Index to_size) {
  const auto from = numbers::normal_numbers<From>(from_size, 1);
  auto got = numbers::normal_numbers<To>(to_size, 2);
  auto expected = got;
  CpuLoops::strided_copy(copy, from.data(), got.data());
  Reference::strided_copy(copy, from.data(), expected.data());
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(To)), 0)
      << copy.extents << " accumulate " << copy.accumulate;
}

template <class From, class To>
void every_kind_of_copy() {
  for (const bool accumulate : {false, true}) {
    // A transpose of planes, a permutation, a slice, a column, a broadcast of a row and of a
    // column.
    expect_like_reference<From, To>({.extents = {3, 70, 45},
                                     .from_strides = {3150, 1, 70},
                                     .to_strides = {3150, 45, 1},
                                     .accumulate = accumulate},
                                    9450, 9450);
    expect_like_reference<From, To>({.extents = {4, 5, 6, 7},
                                     .from_strides = {7, 28, 140, 1},
                                     .to_strides = {210, 42, 7, 1},
                                     .accumulate = accumulate},
                                    840, 840);
    expect_like_reference<From, To>({.extents = {20, 9},
                                     .from_strides = {30, 1},
                                     .to_strides = {11, 1},
                                     .from_offset = 5,
                                     .to_offset = 2,
                                     .accumulate = accumulate},
                                    610, 225);
    expect_like_reference<From, To>({.extents = {50, 1},
                                     .from_strides = {13, 1},
                                     .to_strides = {1, 1},
                                     .accumulate = accumulate},
                                    650, 50);
    expect_like_reference<From, To>({.extents = {40, 33},
                                     .from_strides = {0, 1},
                                     .to_strides = {33, 1},
                                     .accumulate = accumulate},
                                    33, 1320);
    expect_like_reference<From, To>({.extents = {40, 33},
                                     .from_strides = {1, 0},
                                     .to_strides = {33, 1},
                                     .accumulate = accumulate},
                                    40, 1320);
    expect_like_reference<From, To>(
        {.extents = {50000}, .from_strides = {1}, .to_strides = {1}, .accumulate = accumulate},
        50000, 50000);
    expect_like_reference<From, To>({.accumulate = accumulate}, 1, 1);
    expect_like_reference<From, To>({.extents = {3, 0}, .accumulate = accumulate}, 1, 1);
  }
}

}  // namespace

TEST(StridedCopy, MovesFloatsAsTheReferenceDoes) { every_kind_of_copy<float, float>(); }
TEST(StridedCopy, MovesDoublesAsTheReferenceDoes) { every_kind_of_copy<double, double>(); }
TEST(StridedCopy, WidensAsTheReferenceDoes) { every_kind_of_copy<hs::float16, float>(); }
TEST(StridedCopy, RoundsAsTheReferenceDoes) { every_kind_of_copy<float, hs::bfloat16>(); }

TEST(StridedCopy, AddsUpWhatMeetsInOnePlaceForAnyThreads) {
  numbers::expect_same_bits_for_any_threads([] {
    const auto from = numbers::normal_numbers<float>(100000, 1);
    std::vector<float> sum(10);
    CpuLoops::strided_copy(
        {.extents = {10000, 10}, .from_strides = {10, 1}, .to_strides = {0, 1}, .accumulate = true},
        from.data(), sum.data());
    return sum;
  });
}
