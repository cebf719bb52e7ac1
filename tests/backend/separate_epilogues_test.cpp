#include <halfstep/backend/eigen.hpp>
#include <halfstep/backend/grid/host_grid.hpp>
#include <halfstep/backend/separate_epilogues.hpp>
#include <halfstep/backend/test_device.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "epilogue_checks.hpp"

namespace epilogue_checks {
using hs::bfloat16;
using hs::float16;
using hs::backend::Delayed;
using hs::backend::HostGrid;
using hs::backend::Reference;
using EigenBackend = hs::backend::Eigen;
using Cases = testing::Types<
#if defined(HALFSTEP_ONEDNN)
    Case<hs::backend::OneDnn, float>, Case<hs::backend::OneDnn, float16>,
    Case<hs::backend::OneDnn, bfloat16>,
#endif
    Case<Reference, float>, Case<Reference, double>, Case<EigenBackend, float>,
    Case<EigenBackend, double>, Case<EigenBackend, float16>, Case<EigenBackend, bfloat16>,
    Case<HostGrid, float>, Case<HostGrid, float16>, Case<HostGrid, bfloat16>,
    Case<Delayed, bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Separate, Epilogues, Cases);
}  // namespace epilogue_checks
