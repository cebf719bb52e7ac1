// Trains a GPT on the characters of a text in every precision that is asked for, shows what each
// costs and buys, and lets it write: build/bin/char_gpt --preset small --precision all

#include <app/backends.hpp>
#include <app/char_gpt/run.hpp>
#include <app/command_line.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>

int main(int count, char** arguments) {
  app::CharGptOptions options;
  options.data = app::carried_data("tinyshakespeare/input.txt");
  options.precision = "mixed_bf16";
  CLI::App line("Trains a character GPT and compares precisions.", "char_gpt");
  line.add_option("--data", options.data, "a text")->type_name("FILE")->capture_default_str();
  line.add_option("--preset", options.preset,
                  "full: 6 layers, 6 heads, 384 wide, context 256, batch 16, 2,000 steps at 0.001; "
                  "small: 2, 4, 128, 64, 32 and 1,000 at 0.003. The options below override it")
      ->capture_default_str();
  line.add_option("--layers", options.layers, "blocks of attention and MLP")
      ->check(app::at_least(1));
  line.add_option("--heads", options.heads, "of attention; they divide the width")
      ->check(app::at_least(1));
  line.add_option("--width", options.width, "of the residual stream")->check(app::at_least(1));
  line.add_option("--context", options.context, "characters that the model sees at once")
      ->check(app::at_least(1));
  line.add_option("--batch", options.sequences, "sequences in a step")->check(app::at_least(1));
  line.add_option("--steps", options.steps, "steps of AdamW")->check(app::at_least(1));
  line.add_option("--learning-rate", options.learning_rate, "the highest, after warming up")
      ->check(app::positive_number());
  line.add_option("--dropout", options.dropout, "probability (default: 0.1; small: 0)")
      ->check(CLI::Range(0.0, 0.9));
  line.add_flag("--tied", options.tied, "the token embedding is also the matrix of the logits");
  line.add_flag("--recompute", options.recompute,
                "keep the blocks' inputs alone and compute the rest again in backward");
  app::add_precisions(line, options);
  app::add_backend(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  line.add_option("--sample", options.sample, "characters to write in the end")
      ->check(app::at_least(0))
      ->capture_default_str();
  line.add_option("--temperature", options.temperature,
                  "of the writing: 0 takes the likeliest character, 1 the model's own distribution")
      ->check(app::at_least(0))
      ->capture_default_str();
  line.add_option("--prompt", options.prompt,
                  "what the writing goes on from (default: a new line)");
  return app::run(line, count, arguments, [&] {
    // Wrong names are told before anything is read.
    app::canonical_precisions(options.precision);
    app::require_name("--preset", options.preset, app::char_gpt_presets);
    if (options.prompt && options.prompt->empty())
      halfstep::fail<app::CommandLineError>("--prompt: it must have at least one character");
    app::apply_threads(options);
    app::with_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
      app::run_char_gpt<Backend>(options);
    });
  });
}
