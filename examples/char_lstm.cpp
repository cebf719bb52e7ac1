// Trains an LSTM on the characters of a text in every precision that is asked for, shows what each
// costs and buys, and lets it write: build/bin/char_lstm --preset small --precision paper

#include <app/backends.hpp>
#include <app/char_lstm/run.hpp>
#include <app/command_line.hpp>

int main(int count, char** arguments) {
  app::LanguageOptions options;
  options.data = app::carried_data("tinyshakespeare/input.txt");
  options.precision = "mixed_bf16";
  CLI::App line("Trains a character LSTM and compares precisions.", "char_lstm");
  app::add_language(line, options,
                    "full: 2 layers, 512 wide, context 128, batch 32, dropout 0.2, 3,000 steps at "
                    "0.002; small: 1, 256, 64, 32, 0 and 600 at 0.004");
  return app::run(line, count, arguments, [&] {
    app::check_language(options);
    app::apply_threads(options);
    app::with_training_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_char_lstm<Backend>(options);
    });
  });
}
