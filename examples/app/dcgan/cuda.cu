#include <app/dcgan/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_dcgan<halfstep::backend::Cublas>(const app::DcganOptions& options);
