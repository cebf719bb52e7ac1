#pragma once

#include <app/language_options.hpp>
#include <app/names.hpp>
#include <app/precisions.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <exception>
#include <iostream>
#include <new>
#include <sstream>
#include <string>

namespace app {

/// A message as one line, whatever it was made of.
inline std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// Parses the command line into what `line`'s options are bound to, then calls `body()`. What goes
/// wrong is one line on the error stream, after the program's name.
///
/// Exit codes: 0 all went well, 1 the run failed, 2 the command line is wrong.
template <class Body>
int run(CLI::App& line, int count, char** arguments, const Body& body) {
  const auto complain = [&](const std::string& text, int code) {
    std::cout.flush();
    std::cerr << line.get_name() << ": " << one_line(text) << std::endl;
    return code;
  };
  try {
    line.parse(count, arguments);
    body();
    if (!std::cout.flush()) return complain("standard output cannot be written", 1);
    return 0;
  } catch (const CLI::CallForHelp&) {
    std::cout << line.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    return complain(std::string(error.what()) + "; --help names the options", 2);
  } catch (const CommandLineError& error) {
    return complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return complain("out of memory; use a smaller --batch or model", 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}

/// What a number on the command line must be at least.
inline CLI::Validator at_least(double smallest) {
  return CLI::Validator(
      [smallest](std::string& text) {
        double value = 0.0;
        if (!CLI::detail::lexical_cast(text, value)) return text + " is not a number";
        if (value >= smallest) return std::string();
        std::ostringstream message;
        message << text << " is too small; use " << smallest << " or more";
        return message.str();
      },
      "");
}

/// A number above 0 that is finite.
inline CLI::Validator positive_number() {
  return CLI::Validator(
      [](std::string& text) {
        double value = 0.0;
        if (!CLI::detail::lexical_cast(text, value)) return text + " is not a number";
        if (value > 0.0 && std::isfinite(value)) return std::string();
        return text + " will not do; use a number above 0";
      },
      "");
}

inline void add_data(CLI::App& line, Options& options, const std::string& what) {
  line.add_option("--data", options.data, what)->type_name("DIR")->capture_default_str();
}
inline void add_threads(CLI::App& line, Options& options) {
  line.add_option("--threads", options.threads, "threads on the CPU (default: all processors)")
      ->check(at_least(1));
}
inline void add_backend(CLI::App& line, Options& options) {
  line.add_option("--backend", options.backend, "eigen, onednn, reference or cuda")
      ->capture_default_str();
}
inline void add_epochs(CLI::App& line, Options& options) {
  line.add_option("--epochs", options.epochs, "passes over the training data")
      ->check(at_least(1))
      ->capture_default_str();
}
inline void add_batch(CLI::App& line, Options& options) {
  line.add_option("--batch", options.batch, "samples in a step")
      ->check(at_least(1))
      ->capture_default_str();
}
inline void add_seed(CLI::App& line, Options& options) {
  line.add_option("--seed", options.seed, "of initial weights and of the order of the data")
      ->check(at_least(0))
      ->capture_default_str();
}
inline void add_precisions(CLI::App& line, Options& options) {
  line.add_option("--precision", options.precision,
                  "fp32, tf32, mixed_fp16, mixed_bf16, pure_fp16, pure_bf16, Lightning's and "
                  "Keras's names for them, or fp16_without_scaling; several with commas between; "
                  "all that the backend has, or paper: fp32, FP16 with and without loss scaling "
                  "and mixed_bf16")
      ->type_name("NAME[,NAME...]|all|paper")
      ->capture_default_str();
}
inline void add_optimizer(CLI::App& line, Options& options) {
  line.add_option("--optimizer", options.optimizer, listed(optimizer_names))->capture_default_str();
  line.add_option("--learning-rate", options.learning_rate,
                  "default: 0.001 for adam and adamw, 0.05 for momentum, 0.1 for sgd")
      ->check(positive_number());
}
inline void add_telemetry(CLI::App& line, Options& options) {
  line.add_option("--telemetry", options.telemetry,
                  "look into every 50th step: exponents of activations, gradients and updates, one "
                  "JSON object a step in FILE, and a table for each precision")
      ->type_name("FILE");
}
inline void add_json(CLI::App& line, Options& options) {
  line.add_option("--json", options.json, "write one JSON object a line to FILE, or to - ")
      ->type_name("FILE|-");
}

/// The options of a program that learns a text.
/// @param text  what the presets are
inline void add_language(CLI::App& line, LanguageOptions& options, const std::string& text) {
  line.add_option("--data", options.data, "a text")->type_name("FILE")->capture_default_str();
  line.add_option("--preset", options.preset, text + ". The options below override it")
      ->capture_default_str();
  line.add_option("--layers", options.layers, "of the model")->check(at_least(1));
  line.add_option("--width", options.width, "of what goes from layer to layer")->check(at_least(1));
  line.add_option("--context", options.context, "characters that the model sees at once")
      ->check(at_least(1));
  line.add_option("--batch", options.sequences, "sequences in a step")->check(at_least(1));
  line.add_option("--steps", options.steps, "steps of AdamW")->check(at_least(1));
  line.add_option("--learning-rate", options.learning_rate, "the highest, after warming up")
      ->check(positive_number());
  line.add_option("--dropout", options.dropout, "probability (default: the preset's)")
      ->check(CLI::Range(0.0, 0.9));
  add_precisions(line, options);
  add_backend(line, options);
  add_seed(line, options);
  add_threads(line, options);
  add_json(line, options);
  line.add_option("--sample", options.sample, "characters to write in the end")
      ->check(at_least(0))
      ->capture_default_str();
  line.add_option("--temperature", options.temperature,
                  "of the writing: 0 takes the likeliest character, 1 the model's own distribution")
      ->check(at_least(0))
      ->capture_default_str();
  line.add_option("--prompt", options.prompt,
                  "what the writing goes on from (default: a new line)");
}
/// Wrong names are told before anything is read.
/// @throws CommandLineError  a name is unknown, or the prompt is empty
inline void check_language(const LanguageOptions& options) {
  canonical_precisions(options.precision);
  require_name("--preset", options.preset, presets);
  if (options.prompt && options.prompt->empty())
    halfstep::fail<CommandLineError>("--prompt: it must have at least one character");
}

}  // namespace app
