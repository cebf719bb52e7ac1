#if __has_include(<Eigen/Core>)
#include <app/train_on_text.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_char_gpt<halfstep::backend::Eigen>(const app::CharGptOptions& options);
#endif
