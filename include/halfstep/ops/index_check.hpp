#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/ops/cross_entropy.hpp>
#include <halfstep/tensor/shape.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// @throws DataError  an index names none of the rows
inline void check_indices(const char* operation, Index n, Index rows, const std::int32_t* index) {
  for (Index i = 0; i < n; ++i)
    if (index[i] < 0 || index[i] >= rows)
      fail<DataError>(operation, ": index ", index[i], " at position ", i, " is not one of the ",
                      rows, " rows, 0 to ", rows - 1);
}

/// @throws DataError  a target that is not ignored names none of the classes
inline void check_targets(Index rows, Index classes, const CrossEntropy& settings,
                          const std::int32_t* target) {
  for (Index row = 0; row < rows; ++row)
    if (target[row] != settings.ignored_target && (target[row] < 0 || target[row] >= classes))
      fail<DataError>("cross_entropy: target ", target[row], " of row ", row, " is not one of the ",
                      classes, " classes, 0 to ", classes - 1);
}

}  // namespace halfstep
