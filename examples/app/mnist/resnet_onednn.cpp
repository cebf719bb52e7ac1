#include <app/mnist/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_mnist<app::Resnet, halfstep::backend::OneDnn>(const app::Options& options);
#endif
