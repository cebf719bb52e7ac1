#pragma once

#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "numbers.hpp"
#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// What every backend's strided copy must do.
namespace strided_copy_checks {

namespace hs = halfstep;
using hs::Index;
using hs::backend::Reference;
using hs::test::on_device;
using hs::test::on_host;
using numbers::as_double;
using numbers::normal_numbers;

template <class B, class From, class To>
void expect_like_reference(const hs::StridedCopy& copy, Index from_size, Index to_size) {
  const auto from = numbers::normal_numbers<From>(from_size, 1);
  auto expected = numbers::normal_numbers<To>(to_size, 2);
  const auto there = on_device<B>(from);
  auto copied = on_device<B>(expected);
  B::strided_copy(copy, there.data(), copied.data());
  const auto got = on_host<B>(copied);
  Reference::strided_copy(copy, from.data(), expected.data());
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(To)), 0)
      << copy.extents << " accumulate " << copy.accumulate;
}

template <class B, class From, class To>
void every_kind_of_copy() {
  for (const bool accumulate : {false, true}) {
    // A transpose of planes, a permutation, a slice, a column, a broadcast of a row and of a
    // column.
    expect_like_reference<B, From, To>({.extents = {3, 70, 45},
                                        .from_strides = {3150, 1, 70},
                                        .to_strides = {3150, 45, 1},
                                        .accumulate = accumulate},
                                       9450, 9450);
    expect_like_reference<B, From, To>({.extents = {4, 5, 6, 7},
                                        .from_strides = {7, 28, 140, 1},
                                        .to_strides = {210, 42, 7, 1},
                                        .accumulate = accumulate},
                                       840, 840);
    expect_like_reference<B, From, To>({.extents = {20, 9},
                                        .from_strides = {30, 1},
                                        .to_strides = {11, 1},
                                        .from_offset = 5,
                                        .to_offset = 2,
                                        .accumulate = accumulate},
                                       610, 225);
    expect_like_reference<B, From, To>({.extents = {50, 1},
                                        .from_strides = {13, 1},
                                        .to_strides = {1, 1},
                                        .accumulate = accumulate},
                                       650, 50);
    expect_like_reference<B, From, To>({.extents = {40, 33},
                                        .from_strides = {0, 1},
                                        .to_strides = {33, 1},
                                        .accumulate = accumulate},
                                       33, 1320);
    expect_like_reference<B, From, To>({.extents = {40, 33},
                                        .from_strides = {1, 0},
                                        .to_strides = {33, 1},
                                        .accumulate = accumulate},
                                       40, 1320);
    expect_like_reference<B, From, To>(
        {.extents = {50000}, .from_strides = {1}, .to_strides = {1}, .accumulate = accumulate},
        50000, 50000);
    expect_like_reference<B, From, To>({.accumulate = accumulate}, 1, 1);
    expect_like_reference<B, From, To>({.extents = {3, 0}, .accumulate = accumulate}, 1, 1);
  }
}

template <class B>
class StridedCopy : public hs::test::BackendTest<B> {};
TYPED_TEST_SUITE_P(StridedCopy);

TYPED_TEST_P(StridedCopy, MovesFloatsAsTheReferenceDoes) {
  every_kind_of_copy<TypeParam, float, float>();
}
TYPED_TEST_P(StridedCopy, MovesDoublesAsTheReferenceDoes) {
  every_kind_of_copy<TypeParam, double, double>();
}
TYPED_TEST_P(StridedCopy, WidensAsTheReferenceDoes) {
  every_kind_of_copy<TypeParam, hs::float16, float>();
}
TYPED_TEST_P(StridedCopy, RoundsAsTheReferenceDoes) {
  every_kind_of_copy<TypeParam, float, hs::bfloat16>();
}
REGISTER_TYPED_TEST_SUITE_P(StridedCopy, MovesFloatsAsTheReferenceDoes,
                            MovesDoublesAsTheReferenceDoes, WidensAsTheReferenceDoes,
                            RoundsAsTheReferenceDoes);

}  // namespace strided_copy_checks
