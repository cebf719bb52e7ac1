// EXPECT: halfstep: both alternatives of an Either must return the same type
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/either.hpp>
#include <halfstep/nn/linear.hpp>

namespace hs = halfstep;
using Setup = hs::Setup<hs::MixedBf16, hs::backend::Reference>;
#if defined(HALFSTEP_CONTROL)
using Wide = Setup::with<hs::Fp32>;
#else
using Wide = Setup::with<hs::Fp32, hs::keep_output>;
#endif

auto out(const hs::nn::Either<hs::nn::Linear<Setup>, hs::nn::Linear<Wide>>& layer,
         const hs::nn::Input<Setup>& x) {
  return layer(x);
}
