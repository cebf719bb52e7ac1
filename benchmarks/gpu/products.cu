// Square products of random matrices on the GPU, as training steps launch them: TFLOP/s by size and
// precision. build/bin/gpu_products --help
#include "ceilings.cuh"
#include "precisions.hpp"

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

namespace {

struct Options {
  std::vector<halfstep::Index> sizes{512, 1024, 2048, 4096, 8192};
  std::vector<std::string> precisions = measure::product_precisions<measure::GpuBackend>();
  double seconds = 0.3;
  std::string json;
};

template <class Setup>
measure::Samples product_times(halfstep::Index size, double seconds) {
  measure::RandomProduct<Setup> product({.m = size, .n = size, .k = size});
  const int sets = product.sets();
  return measure::DeviceTimer(std::move(product), measure::Calls::recorded, sets).samples(seconds);
}

void measure_products(const Options& options) {
  const std::string device = measure::device_name();
  app::JsonLines json(options.json);
  std::vector<std::string> headings{device + ", TFLOP/s"};
  for (const halfstep::Index size : options.sizes) headings.push_back(std::to_string(size));
  app::Table table(headings);
  for (const std::string& precision : options.precisions) {
    std::vector<std::string> row{precision};
    measure::with_product_precision<measure::GpuBackend>(
        precision, [&]<class Setup>(std::type_identity<Setup>) {
          for (const halfstep::Index size : options.sizes) {
            const measure::Samples times = product_times<Setup>(size, options.seconds);
            const double tflop = 2e-12 * std::pow(static_cast<double>(size), 3.0);
            row.push_back(app::fixed(tflop / times.median(), 1));
            json.write({{"program", "products"},
                        {"device", device},
                        {"size", size},
                        {"precision", precision},
                        {"median_ms", 1e3 * times.median()},
                        {"best_ms", 1e3 * times.best()},
                        {"tflops", tflop / times.median()}});
          }
        });
    table.add(row);
  }
  if (!json.on_standard_output()) std::cout << table;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App line("Measures square products on the GPU, on random numbers.", "gpu_products");
  line.add_option("--sizes", options.sizes, "of the matrices")
      ->delimiter(',')
      ->check(app::at_least(1))
      ->capture_default_str();
  measure::add_precisions(line, options.precisions);
  line.add_option("--seconds", options.seconds, "of each measurement")
      ->check(app::positive_number())
      ->capture_default_str();
  line.add_option("--json", options.json, "write one JSON object a line to FILE, or to - ");
  return app::run(line, count, arguments, [&] { measure_products(options); });
}
