#if __has_include(<Eigen/Core>)
#include <app/mnist/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_mnist<app::Resnet, halfstep::backend::Eigen>(const app::Options& options);
#endif
