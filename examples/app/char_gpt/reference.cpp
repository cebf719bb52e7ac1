#include <app/char_gpt/train.hpp>

#include <halfstep/backend/reference.hpp>

template void app::run_char_gpt<halfstep::backend::Reference>(const app::CharGptOptions& options);
