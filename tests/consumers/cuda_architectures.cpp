// A policy on a GPU, to be compiled for architectures that have it and for some that do not.
#include <halfstep/backend/cuda/cublas.hpp>
#include <halfstep/backend/setup.hpp>

template struct halfstep::Setup<halfstep::POLICY, halfstep::backend::Cublas>;
