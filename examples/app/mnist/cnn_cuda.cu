#include <app/mnist/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_mnist<app::Cnn, halfstep::backend::Cublas>(const app::Options& options);
