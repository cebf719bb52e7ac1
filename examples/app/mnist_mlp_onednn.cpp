#include <app/train_on_mnist.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_mnist<app::Mlp, halfstep::backend::OneDnn>(const app::Options& options);
#endif
