#pragma once

#include <app/char_gpt/gpt.hpp>
#include <app/char_gpt/run.hpp>
#include <app/learn_text.hpp>

namespace app {

template <class Backend>
void run_char_gpt(const CharGptOptions& options) {
  LanguagePlan<GptSettings> plan;
  if (options.preset == "small") {
    plan = {{.layers = 2, .heads = 4, .width = 128, .context = 64}, 32, 1000, 3e-3};
  } else {
    plan.model.dropout = 0.1;
  }
  plan.take(options);
  plan.model.heads = options.heads.value_or(plan.model.heads);
  plan.model.tied = options.tied;
  plan.model.recompute = options.recompute;
  run_language_model<Gpt, Backend>("gpt", options, plan,
                                   {{"heads", plan.model.heads},
                                    {"tied", plan.model.tied},
                                    {"recompute", plan.model.recompute}});
}

}  // namespace app
