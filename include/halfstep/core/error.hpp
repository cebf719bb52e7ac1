#pragma once

#include <halfstep/core/macros.hpp>

#include <sstream>
#include <stdexcept>
#include <string>

namespace halfstep::inline HALFSTEP_ABI {

/// The base of everything this library throws. Messages name the operation, the shapes and types,
/// and what to do.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Extents that do not fit an operation.
struct ShapeError : Error {
  using Error::Error;
};

/// A precision that a backend, a machine or a rule does not allow.
struct PrecisionError : Error {
  using Error::Error;
};

/// Values of a data set that cannot be used: a label out of range, an empty set.
struct DataError : Error {
  using Error::Error;
};

/// A file that is missing, truncated or not what it should be.
struct IoError : Error {
  using Error::Error;
};

/// A vendor library or a device that failed or is not there.
struct BackendError : Error {
  using Error::Error;
};

/// Training that cannot go on because values are inf or NaN.
struct NonFiniteError : Error {
  using Error::Error;
};

/// An object used in a way that its state does not allow (a moved-from token, a second backward).
struct UsageError : Error {
  using Error::Error;
};

/// Throws `Kind` with the parts written one after the other. Cold: no compiler should spend time on
/// making it fast.
template <class Kind, class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Kind(message.str());
}

}  // namespace halfstep
