#if __has_include(<Eigen/Core>)
#include <app/dcgan/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_dcgan<halfstep::backend::Eigen>(const app::DcganOptions& options);
#endif
