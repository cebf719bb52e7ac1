#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/tensor/shape.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// The first index in device memory that named nothing. Kernels write it where they run; the host
/// looks when it next waits, for a step never does.
struct IndexError {
  enum Operation : std::int32_t { none, cross_entropy, gather_rows, scatter_add_rows, ctc_loss };

  std::int32_t operation = none;
  std::int32_t index = 0;
  Index position = 0;
  Index count = 0;

  /// Whether the index is outside [0, count). Threads that write at once each leave a whole error:
  /// which of them stays does not matter.
  HALFSTEP_HOST_DEVICE bool refuses(Operation by, std::int32_t wrong, Index at, Index of) {
    if (wrong >= 0 && wrong < of) return false;
    index = wrong;
    position = at;
    count = of;
    operation = by;
    return true;
  }

  /// @throws DataError  an index named nothing
  void rethrow() const {
    switch (operation) {
      case none:
        return;
      case cross_entropy:
        fail<DataError>("cross_entropy: target ", index, " of row ", position,
                        " is not one of the ", count, " classes, 0 to ", count - 1);
      case ctc_loss:
        fail<DataError>("ctc_loss: the target of row ", position,
                        " does not fit its input, or a length or label of it is out of range");
      default:
        fail<DataError>(operation == gather_rows ? "gather_rows" : "scatter_add_rows", ": index ",
                        index, " at position ", position, " is not one of the ", count,
                        " rows, 0 to ", count - 1);
    }
  }
};

}  // namespace halfstep
