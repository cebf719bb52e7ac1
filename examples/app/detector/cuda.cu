#include <app/detector/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_detector<halfstep::backend::Cublas>(const app::DetectorOptions& options);
