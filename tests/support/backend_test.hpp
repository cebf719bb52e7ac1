#pragma once

#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/backend.hpp>

#include <gtest/gtest.h>

#include <string>

namespace halfstep::test {

/// What a backend needs of the machine that tests run on, and how well it computes there.
template <class B>
struct Machine {
  /// Why nothing runs in these storage types here; empty where it does.
  template <class... Storages>
  static std::string lacks() {
    return {};
  }
  /// The unit roundoff of sums of products of S that are taken in `Compute`.
  template <class S, class Compute = typename numeric_traits<S>::compute>
  static constexpr double product_roundoff =
      numeric_traits<typename numeric_traits<S>::compute>::unit_roundoff;
};

/// A test of backend B in these storage types, skipped where the machine cannot run it.
template <class B, class... Storages>
class BackendTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = Machine<B>::template lacks<Storages...>();
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
};

}  // namespace halfstep::test
