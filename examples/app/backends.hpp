#pragma once

#include <app/options.hpp>

#include <halfstep/backend/default.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/setup.hpp>

// What stands in the path decides nothing for oneDNN, which is a library; Eigen is only headers.
#if __has_include(<Eigen/Core>)
#include <halfstep/backend/eigen.hpp>
#endif

#include <string_view>
#include <type_traits>

#if defined(HALFSTEP_CUDA)
// Units that nvcc compiles know the whole class; the others only pass its name on.
namespace halfstep::inline HALFSTEP_ABI::backend {
struct Cublas;
}
#endif

namespace app {

/// Calls f(std::type_identity<Backend>) with the backend of that name.
/// @throws CommandLineError         there is no such backend
/// @throws halfstep::BackendError   there is, but this program is built without it
template <class F>
void with_backend(std::string_view name, const F& f) {
  using halfstep::fail;
  namespace backend = halfstep::backend;
  if (name == backend::Default::name) return f(std::type_identity<backend::Default>{});
  if (name == "reference") return f(std::type_identity<backend::Reference>{});
  if (name == "eigen") {
#if __has_include(<Eigen/Core>)
    return f(std::type_identity<backend::Eigen>{});
#else
    fail<halfstep::BackendError>("--backend eigen: this program was built without Eigen; install ",
                                 "libeigen3-dev and build it again, or choose --backend ",
                                 backend::Default::name);
#endif
  }
  if (name == "onednn")
    fail<halfstep::BackendError>(
        "--backend onednn: this program was built without oneDNN; install ",
        "libdnnl-dev and build it again, or choose --backend ", backend::Default::name);
  if (name == "cuda") {
#if defined(HALFSTEP_CUDA)
    return f(std::type_identity<backend::Cublas>{});
#else
    fail<halfstep::BackendError>("--backend cuda: this program was built without CUDA; choose ",
                                 "--backend ", backend::Default::name);
#endif
  }
  fail<CommandLineError>("--backend '", name,
                         "' is unknown; choose eigen, onednn, reference or cuda");
}

/// The same without the reference backend, whose plain loops would train for hours.
/// @throws CommandLineError         there is no such backend
/// @throws halfstep::BackendError   there is, but this program is built without it
template <class F>
void with_training_backend(std::string_view name, const F& f) {
  with_backend(name, [&]<class Backend>(std::type_identity<Backend> type) {
    if constexpr (std::same_as<Backend, halfstep::backend::Reference>)
      halfstep::fail<halfstep::BackendError>(
          "--backend reference: this program is not built for it, for plain loops would train for "
          "hours; choose onednn, eigen or cuda");
    else
      f(type);
  });
}

}  // namespace app
