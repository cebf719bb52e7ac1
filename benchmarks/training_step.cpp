// How long a whole training step takes beside what it cannot do without: its matrix products alone,
// and its memory traffic at a plain copy's rate. build/bin/training_step --help
#include "training/step_options.hpp"
#include "training/with_case.hpp"

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

namespace {

/// @throws app::CommandLineError  there is no such precision, or `all` of them is asked for
void require_precision(const training::StepOptions& options) {
  if (!halfstep::canonical_precision(options.precision))
    halfstep::fail<app::CommandLineError>("--precision ", options.precision,
                                          ": there is no such precision; choose one of fp32, tf32, "
                                          "mixed_fp16, mixed_bf16, pure_fp16 and pure_bf16");
}

/// The share of the peak that the command line names; 0 where it names none.
double peak_share(const training::StepOptions& options, const training::StepFigures& figures) {
  return options.peak_tflops > 0.0 ? figures.model_tflops / options.peak_tflops : 0.0;
}

void print_json(const training::StepOptions& options, const training::StepFigures& figures) {
  const auto or_null = [](double value) {
    return value > 0.0 ? app::Json(value) : app::Json(nullptr);
  };
  const bool products = figures.gemm_ms > 0.0;
  app::JsonLines("-").write({{"model", options.model},
                             {"precision", *halfstep::canonical_precision(options.precision)},
                             {"backend", options.backend},
                             {"threads", options.threads},
                             {"median_ms", figures.median_ms},
                             {"best_ms", figures.best_ms},
                             {"samples_per_s", figures.samples_per_second},
                             {"tokens_per_s", or_null(figures.tokens_per_second)},
                             {"parameters", figures.parameters},
                             {"model_tflops", figures.model_tflops},
                             {"peak_share", or_null(peak_share(options, figures))},
                             {"gemm_ms", or_null(figures.gemm_ms)},
                             {"copy_gb_s", figures.copy_gb_per_second},
                             {"limit_ms", or_null(products ? figures.limit_ms : 0.0)},
                             {"optimizer_ms", figures.optimizer_ms},
                             {"activation_bytes", figures.activation_bytes},
                             {"peak_bytes", figures.peak_bytes}});
}

void print_table(const training::StepOptions& options, const training::StepFigures& figures) {
  const bool products = figures.gemm_ms > 0.0;
  const auto ms = [](double value) { return app::fixed(value, 3) + " ms"; };
  app::Table table({options.model + " " + options.precision + " " + options.backend + ", " +
                        std::to_string(options.threads) + " threads",
                    ""});
  table.add({"step, median", ms(figures.median_ms)});
  table.add({"step, best", ms(figures.best_ms)});
  table.add({"samples/s", app::fixed(figures.samples_per_second, 0)});
  if (figures.tokens_per_second > 0.0)
    table.add({"tokens/s", app::fixed(figures.tokens_per_second, 0)});
  table.add({"parameters", app::grouped(figures.parameters)});
  table.add({"the model's own arithmetic", app::fixed(figures.model_tflops, 3) + " TFLOP/s"});
  if (const double share = peak_share(options, figures); share > 0.0)
    table.add({"of " + app::fixed(options.peak_tflops, 0) + " TFLOP/s",
               app::fixed(100.0 * share, 1) + " %"});
  table.add({options.backend == "cuda" ? "matrix products alone, cuBLASLt"
                                       : "matrix products alone, oneDNN",
             products ? ms(figures.gemm_ms) : "-"});
  table.add({"plain copy", app::fixed(figures.copy_gb_per_second, 1) + " GB/s"});
  table.add({"limit: products + 30 B/parameter", products ? ms(figures.limit_ms) : "-"});
  table.add({"step / limit",
             products ? app::fixed(figures.median_ms / figures.limit_ms, 3) : std::string("-")});
  table.add({"check and optimizer", ms(figures.optimizer_ms)});
  table.add({"kept for backward", app::bytes(static_cast<double>(figures.activation_bytes))});
  table.add({"peak memory", app::bytes(static_cast<double>(figures.peak_bytes))});
  std::cout << table;
}

}  // namespace

int main(int count, char** arguments) {
  training::StepOptions options;
  options.backend = halfstep::backend::Default::name;
  options.threads = halfstep::threads();
  CLI::App line("Measures training steps beside what bounds them.", "training_step");
  line.add_option("--model", options.model, "mlp, mlp_wide, cnn, gpt or gpt2")
      ->capture_default_str();
  line.add_option("--precision", options.precision,
                  "fp32, tf32, mixed_fp16, mixed_bf16, pure_fp16 or pure_bf16, or Lightning's or "
                  "Keras's name for it")
      ->capture_default_str();
  line.add_option("--backend", options.backend, "eigen, onednn, reference or cuda")
      ->capture_default_str();
  line.add_option("--threads", options.threads, "threads (default: all processors)")
      ->check(app::at_least(1));
  line.add_option("--batch", options.batch, "samples in a step (default: the model's own)")
      ->check(app::at_least(1));
  line.add_option("--peak-tflops", options.peak_tflops,
                  "of the machine in the precision's products, to print the share of it that the "
                  "model's own arithmetic reaches (989 for BF16 on an H200)")
      ->check(app::positive_number());
  line.add_option("--seconds", options.seconds, "how long to measure")
      ->check(app::positive_number())
      ->capture_default_str();
  line.add_flag("--json", options.json, "print one JSON object");
  return app::run(line, count, arguments, [&] {
    require_precision(options);
    halfstep::set_threads(options.threads);
    training::StepFigures figures;
    training::with_case(options.model, [&]<class Case>(std::type_identity<Case>) {
      app::with_backend(options.backend, [&]<class Backend>(std::type_identity<Backend>) {
        if constexpr (training::measured<Case, Backend>)
          figures = training::measure_training<Case, Backend>(options);
        else
          halfstep::fail<app::CommandLineError>(
              "--model ", options.model, " --backend ", Backend::name,
              ": a step would take minutes; choose eigen or onednn");
      });
    });
    if (options.json)
      print_json(options, figures);
    else
      print_table(options, figures);
  });
}
