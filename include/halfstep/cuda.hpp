#pragma once

/// What programs for NVIDIA GPUs include, and compile with nvcc:
///
///   using Setup = halfstep::Setup<halfstep::MixedBf16, halfstep::backend::Cublas>;
///
///   nvcc -x cu -std=c++20 -O2 --expt-relaxed-constexpr -arch=sm_90 -I include program.cpp
///   -lcublasLt
///
/// With cuDNN 9, -DHALFSTEP_CUDNN and -lcudnn: convolutions then take the faster of two ways.

#include <halfstep/halfstep.hpp>

#include <halfstep/backend/cuda/cublas.hpp>
