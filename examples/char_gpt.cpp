// Trains a GPT on the characters of a text in every precision that is asked for, shows what each
// costs and buys, and lets it write: build/bin/char_gpt --preset small --precision all

#include <app/backends.hpp>
#include <app/char_gpt/run.hpp>
#include <app/command_line.hpp>

int main(int count, char** arguments) {
  app::CharGptOptions options;
  options.data = app::carried_data("tinyshakespeare/input.txt");
  options.precision = "mixed_bf16";
  CLI::App line("Trains a character GPT and compares precisions.", "char_gpt");
  app::add_language(line, options,
                    "full: 6 layers, 6 heads, 384 wide, context 256, batch 16, dropout 0.1, 2,000 "
                    "steps at 0.001; small: 2, 4, 128, 64, 32, 0 and 1,000 at 0.003");
  line.add_option("--heads", options.heads, "of attention; they divide the width")
      ->check(app::at_least(1));
  line.add_flag("--tied", options.tied, "the token embedding is also the matrix of the logits");
  line.add_flag("--recompute", options.recompute,
                "keep the blocks' inputs alone and compute the rest again in backward");
  return app::run(line, count, arguments, [&] {
    app::check_language(options);
    app::apply_threads(options);
    app::with_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_char_gpt<Backend>(options);
    });
  });
}
