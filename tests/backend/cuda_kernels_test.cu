// The kernels do what every backend must, on a GPU.
#include "channel_moments_checks.hpp"
#include "check_finite_checks.hpp"
#include "conversion_checks.hpp"
#include "count_exponents_checks.hpp"
#include "elementwise_checks.hpp"
#include "gather_checks.hpp"
#include "normalize_checks.hpp"
#include "recurrent_checks.hpp"
#include "reduce_checks.hpp"
#include "rows_checks.hpp"
#include "strided_copy_checks.hpp"
#include "support/cuda_device.hpp"

using halfstep::backend::Cublas;
using Cases = numbers::Cases<Cublas>;

namespace channel_moments_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, ChannelMoments, Cases);
}
namespace check_finite_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, CheckFinite, Cases);
}
namespace conversion_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Conversion, testing::Types<Cublas>);
}
namespace count_exponents_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, CountExponents, Cases);
}
namespace elementwise_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Elementwise, Cases);
}
namespace gather_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Gather, Cases);
}
namespace normalize_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Normalize, Cases);
}
namespace recurrent_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Recurrent, Cases);
}
namespace reduce_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Reduce, Cases);
}
namespace rows_checks {
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, Rows, Cases);
}
namespace strided_copy_checks {
using Backends = testing::Types<Cublas>;
INSTANTIATE_TYPED_TEST_SUITE_P(Cublas, StridedCopy, Backends);
}  // namespace strided_copy_checks
