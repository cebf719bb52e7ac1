#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "convolution_checks.hpp"

namespace convolution_checks {
namespace {

using hs::backend::Eigen;
using hs::backend::Reference;

using OnReference = testing::Types<Case<Reference, hs::float16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnReference, Convolution, OnReference);
using OnEigen = testing::Types<Case<Eigen, float>, Case<Eigen, double>, Case<Eigen, hs::float16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnEigen, Convolution, OnEigen);
#if defined(HALFSTEP_ONEDNN)
using hs::backend::OneDnn;
using OnOneDnn =
    testing::Types<Case<OneDnn, float>, Case<OneDnn, hs::float16>, Case<OneDnn, hs::bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnOneDnn, Convolution, OnOneDnn);
#endif

}  // namespace
}  // namespace convolution_checks
