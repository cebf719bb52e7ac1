// What happens on the GPU to 100 M gradients after backward, beside what its memory can do: unscale
// with its finite check beside a plain read, the AdamW pass and the whole step beside a plain copy.
// build/bin/gpu_optimizer --help
#include "../measure/after_backward.hpp"
#include "ceilings.cuh"
#include "precisions.hpp"

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

namespace {

using measure::adamw;
using measure::AfterBackward;
using measure::Calls;
using measure::DeviceTimer;

struct Options {
  halfstep::Index parameters = 100'000'000;
  double seconds = 1.0;
  std::string json;
};

/// What the passes of one precision report to.
struct Report {
  const Options& options;
  std::string device;
  std::string precision;
  app::JsonLines& json;
  app::Table& table;

  /// `ours` beside `ceiling`, which moves `ceiling_bytes`.
  template <class Ours, class Ceiling>
  void operator()(const std::string& pass, double bytes_per_parameter, Ours ours,
                  const std::string& ceiling_name, Ceiling ceiling, double ceiling_bytes) const {
    DeviceTimer our_timer(std::move(ours), Calls::steps);
    DeviceTimer ceiling_timer(std::move(ceiling), Calls::launched);
    const measure::Beside times(our_timer, ceiling_timer, options.seconds);
    const double bytes = bytes_per_parameter * static_cast<double>(options.parameters);
    const double rate = 1e-9 * bytes / times.ours.median();
    const double ceiling_rate = 1e-9 * ceiling_bytes / times.ceiling.median();
    table.add({precision + " " + pass, app::fixed(1e3 * times.ours.median(), 3),
               app::fixed(rate, 0), ceiling_name, app::fixed(ceiling_rate, 0),
               app::fixed(rate / ceiling_rate, 3)});
    json.write({{"program", "optimizer"},
                {"device", device},
                {"pass", pass},
                {"precision", precision},
                {"parameters", options.parameters},
                {"bytes_per_parameter", bytes_per_parameter},
                {"median_ms", 1e3 * times.ours.median()},
                {"gb_per_s", rate},
                {"ceiling", ceiling_name},
                {"ceiling_gb_per_s", ceiling_rate},
                {"ratio", rate / ceiling_rate}});
  }
};

/// Bytes a parameter: gradients of 2, weights of 2, a master and two moments of 4. The check reads
/// the gradients; the update reads all but the weights and writes all but the gradients.
constexpr double checked = 2.0;
constexpr double updated = 2.0 + 2.0 + 2.0 * 12.0;

template <class Setup>
void measure_passes(const Report& report) {
  const halfstep::Index parameters = report.options.parameters;
  const double gradients = 2.0 * static_cast<double>(parameters / 8 * 8);
  {
    AfterBackward<Setup> after(parameters);
    auto scaler = halfstep::default_scaler(after.model().parameters());
    const auto unscale = [&](int) {
      auto unscaled = scaler.unscale(after.template gradients<halfstep::Scaled>());
      scaler.update();
    };
    report("unscale", checked, unscale, "read", measure::DeviceRead(after.arena(), gradients),
           gradients);
  }
  const auto copy = [&] { return measure::DeviceCopy(updated * static_cast<double>(parameters)); };
  {
    AfterBackward<Setup> after(parameters);
    auto optimizer = adamw(after.model());
    const auto update = [&](int) {
      auto unscaled = after.template gradients<halfstep::Unscaled>();
      unscaled.carry(false, true);
      optimizer.step(std::move(unscaled));
    };
    auto ceiling = copy();
    const double bytes = ceiling.bytes();
    report("update", updated, update, "copy", std::move(ceiling), bytes);
  }
  {
    AfterBackward<Setup> after(parameters);
    auto optimizer = adamw(after.model());
    auto scaler = halfstep::default_scaler(after.model().parameters());
    const auto whole = [&] {
      auto unscaled = scaler.unscale(after.template gradients<halfstep::Scaled>());
      halfstep::optim::clip_norm(unscaled, 0.01);  // less than the norm: it clips
      auto step = scaler.step(optimizer, std::move(unscaled));
      scaler.update();
      return step;
    };
    const auto first = whole();
    if (!first.applied() || first.clip_factor() >= 1.0)
      halfstep::fail<halfstep::UsageError>("gpu_optimizer: the step was skipped or did not clip");
    auto ceiling = copy();
    const double bytes = ceiling.bytes();
    report(
        "unscale, clip and update", checked + updated, [&](int) { whole(); }, "copy",
        std::move(ceiling), bytes);
  }
}

void measure_optimizer(const Options& options) {
  const std::string device = measure::device_name();
  app::JsonLines json(options.json);
  app::Table table({device + ", AdamW", "ms", "GB/s", "beside", "GB/s", "ratio"});
  for (const std::string& precision : measure::product_precisions<measure::GpuBackend>())
    measure::with_product_precision<measure::GpuBackend>(
        precision, [&]<class Setup>(std::type_identity<Setup>) {
          if constexpr (sizeof(typename Setup::Parameter) == 2)
            measure_passes<Setup>({options, device, precision, json, table});
        });
  if (!json.on_standard_output()) std::cout << table;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App line("Measures on the GPU what follows backward, beside its memory's rates.",
                "gpu_optimizer");
  line.add_option("--parameters", options.parameters, "of the model")
      ->check(app::at_least(1024))
      ->capture_default_str();
  line.add_option("--seconds", options.seconds, "of each measurement")
      ->check(app::positive_number())
      ->capture_default_str();
  line.add_option("--json", options.json, "write one JSON object a line to FILE, or to - ");
  return app::run(line, count, arguments, [&] { measure_optimizer(options); });
}
