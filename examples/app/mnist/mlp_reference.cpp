#include <app/mnist/train.hpp>

#include <halfstep/backend/reference.hpp>

template void app::run_mnist<app::Mlp, halfstep::backend::Reference>(const app::Options& options);
