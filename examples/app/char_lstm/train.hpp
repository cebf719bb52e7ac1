#pragma once

#include <app/char_lstm/lstm.hpp>
#include <app/char_lstm/run.hpp>
#include <app/learn_text.hpp>

namespace app {

template <class Backend>
void run_char_lstm(const LanguageOptions& options) {
  LanguagePlan<CharLstmSettings> plan{{.dropout = 0.2}, 32, 3000, 2e-3};
  if (options.preset == "small") plan = {{.layers = 1, .width = 256, .context = 64}, 32, 600, 4e-3};
  plan.take(options);
  run_language_model<CharLstm, Backend>("lstm", options, plan);
}

}  // namespace app
