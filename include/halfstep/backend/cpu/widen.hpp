#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// The two operands of a product in the type that they are multiplied in: themselves, or copies in
/// memory of the caching pool, which is exact.
template <class Compute, class In>
class WidenedOperands {
 public:
  WidenedOperands(Index a_size, const In* a, Index b_size, const In* b) {
    if constexpr (std::is_same_v<Compute, In>) {
      a_ = a;
      b_ = b;
    } else {
      memory_ = Tensor<Compute>(Shape{rounded(a_size) + b_size});
      Compute* const wide_a = memory_.data();
      Compute* const wide_b = wide_a + rounded(a_size);
      // Both in one go of the threads: waking them costs as much as a small operand.
      const Index a_chunks = (a_size + element_grain - 1) / element_grain;
      const Index b_chunks = (b_size + element_grain - 1) / element_grain;
      parallel_for(a_chunks + b_chunks, 1, [&](Index chunk, Index) {
        const bool is_a = chunk < a_chunks;
        const Index first = (is_a ? chunk : chunk - a_chunks) * element_grain;
        const Index last = std::min(is_a ? a_size : b_size, first + element_grain);
        run_elements(CopyElements{}, first, last, halfstep::In<In>{is_a ? a : b},
                     Out<Compute>{is_a ? wide_a : wide_b});
      });
      a_ = wide_a;
      b_ = wide_b;
    }
  }

  const Compute* a() const { return a_; }
  const Compute* b() const { return b_; }

 private:
  /// Keeps the second operand on a cache line of its own.
  static Index rounded(Index size) { return (size + 15) / 16 * 16; }

  Tensor<Compute> memory_;
  const Compute* a_ = nullptr;
  const Compute* b_ = nullptr;
};

}  // namespace halfstep
