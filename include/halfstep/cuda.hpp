#pragma once

/// What programs for NVIDIA GPUs include, and compile with nvcc:
///
///   using Setup = halfstep::Setup<halfstep::MixedBf16, halfstep::backend::Cublas>;
///
///   nvcc -x cu -std=c++20 -O2 --expt-relaxed-constexpr -arch=sm_90 -I include program.cpp
///   -lcublasLt

#include <halfstep/halfstep.hpp>

#include <halfstep/backend/cuda/cublas.hpp>
