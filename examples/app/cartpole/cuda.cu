#include <app/cartpole/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_cartpole<halfstep::backend::Cublas>(const app::CartPoleOptions& options);
