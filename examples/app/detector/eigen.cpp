#if __has_include(<Eigen/Core>)
#include <app/detector/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_detector<halfstep::backend::Eigen>(const app::DetectorOptions& options);
#endif
