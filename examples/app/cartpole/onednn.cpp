#include <app/cartpole/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_cartpole<halfstep::backend::OneDnn>(const app::CartPoleOptions& options);
#endif
