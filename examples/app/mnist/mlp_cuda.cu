#include <app/mnist/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_mnist<app::Mlp, halfstep::backend::Cublas>(const app::Options& options);
