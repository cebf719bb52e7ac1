// The kernels of a GPU, run on the host, do what every backend must.
#include <halfstep/backend/grid/host_grid.hpp>

#include "channel_moments_checks.hpp"
#include "check_finite_checks.hpp"
#include "conversion_checks.hpp"
#include "convolution_checks.hpp"
#include "count_exponents_checks.hpp"
#include "elementwise_checks.hpp"
#include "gather_checks.hpp"
#include "normalize_checks.hpp"
#include "recurrent_checks.hpp"
#include "reduce_checks.hpp"
#include "rows_checks.hpp"
#include "strided_copy_checks.hpp"

using halfstep::backend::HostGrid;
using Cases = numbers::Cases<HostGrid>;

namespace channel_moments_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, ChannelMoments, Cases);
}
namespace check_finite_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, CheckFinite, Cases);
}
namespace convolution_checks {
using InTwoTypes = testing::Types<Case<HostGrid, float>, Case<HostGrid, halfstep::float16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Convolution, InTwoTypes);
}  // namespace convolution_checks
namespace conversion_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Conversion, testing::Types<HostGrid>);
}
namespace count_exponents_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, CountExponents, Cases);
}
namespace elementwise_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Elementwise, Cases);
}
namespace gather_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Gather, Cases);
}
namespace normalize_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Normalize, Cases);
}
namespace recurrent_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Recurrent, Cases);
}
namespace reduce_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Reduce, Cases);
}
namespace rows_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Rows, Cases);
}
namespace strided_copy_checks {
using Backends = testing::Types<HostGrid>;
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, StridedCopy, Backends);
}  // namespace strided_copy_checks
