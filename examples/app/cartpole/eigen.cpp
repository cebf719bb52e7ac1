#if __has_include(<Eigen/Core>)
#include <app/cartpole/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_cartpole<halfstep::backend::Eigen>(const app::CartPoleOptions& options);
#endif
