// A table after DeepBench's: products, convolutions and recurrent layers of published models on the
// GPU, in FP32, TF32, FP16 and BF16, and their shares of what the chip can do.
// build/bin/gpu_deepbench --help
#include "ceilings.cuh"
#include "deepbench_problems.hpp"
#include "precisions.hpp"

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

#include <map>

namespace {

using halfstep::Index;
using measure::GpuBackend;

struct Options {
  std::vector<std::string> precisions = measure::product_precisions<GpuBackend>();
  double seconds = 0.05;
  std::string json;
};

/// The least that a problem must do, and how long it took.
struct Figures {
  double flop = 0.0;
  double bytes = 0.0;  ///< every number read or written once in each pass
  double seconds = 0.0;
};

/// What a chip does at best: the larger of two times is the least that a problem can take.
struct Ceilings {
  double flop_per_second = 0.0;
  double bytes_per_second = 0.0;

  double least_seconds(const Figures& figures) const {
    return std::max(figures.flop / flop_per_second, figures.bytes / bytes_per_second);
  }
};

template <class Setup>
Figures measure_problem(const deepbench::Product& p, double seconds) {
  // Row-major, the operands change places.
  measure::RandomProduct<Setup> product(
      {.m = p.n, .n = p.m, .k = p.k, .transpose_a = p.transpose_b, .transpose_b = p.transpose_a});
  Figures figures{product.flop(), product.bytes()};
  const int sets = product.sets();
  figures.seconds = measure::DeviceTimer(std::move(product), measure::Calls::recorded, sets)
                        .samples(seconds)
                        .median();
  return figures;
}

/// Forward and both gradients, channels last.
template <class Setup>
Figures measure_problem(const deepbench::Convolution& c, double seconds) {
  using Storage = typename Setup::Activation;
  using Compute = typename Setup::Compute;
  halfstep::ConvolutionProblem p;
  p.batch = c.batch;
  p.channels = c.channels;
  p.filters = c.filters;
  p.input = {c.height, c.width};
  p.kernel = {c.kernel_height, c.kernel_width};
  p.stride = c.stride;
  p.padding = c.padding;
  p.output = {(c.height + 2 * c.padding - c.kernel_height) / c.stride + 1,
              (c.width + 2 * c.padding - c.kernel_width) / c.stride + 1};
  p.layout = halfstep::ImageLayout::channels_last;
  const Index numbers = p.x_size() + p.weight_size() + p.y_size();
  Figures figures;
  figures.flop = 3.0 * 2.0 * static_cast<double>(p.y_size()) * static_cast<double>(p.products());
  figures.bytes = 3.0 * static_cast<double>(sizeof(Storage)) * static_cast<double>(numbers);

  using Array = halfstep::TensorOf<Storage, GpuBackend>;
  std::vector<Array> x, weight, y, to_x, to_weight;
  // Each set is a graph of its own, and of those no more than 16 are kept.
  const int sets = measure::sets_beyond_cache(figures.bytes / 3.0, 12);
  for (int i = 0; i < sets; ++i) {
    const auto seed = static_cast<std::uint64_t>(3 * i + 1);
    x.push_back(measure::random_tensor_on<Storage, GpuBackend>({p.x_size()}, seed));
    weight.push_back(measure::random_tensor_on<Storage, GpuBackend>({p.weight_size()}, seed + 1));
    y.push_back(measure::random_tensor_on<Storage, GpuBackend>({p.y_size()}, seed + 2));
    to_x.emplace_back(halfstep::Shape{p.x_size()});
    to_weight.emplace_back(halfstep::Shape{p.weight_size()});
  }
  const auto passes = [&](int set) {
    const auto i = static_cast<std::size_t>(set);
    const auto none = static_cast<const Storage*>(nullptr);
    const Storage* const from = x[i].data();
    const Storage* const by = weight[i].data();
    GpuBackend::convolve<Compute>(p, from, by, none, y[i].data(), false);
    const Storage* const upstream = y[i].data();
    GpuBackend::convolve_transposed<Compute>(p, upstream, by, none, to_x[i].data(), false);
    GpuBackend::convolve_weight<Compute>(p, from, upstream, to_weight[i].data(), false);
  };
  figures.seconds =
      measure::DeviceTimer(passes, measure::Calls::steps, sets).samples(seconds).median();
  return figures;
}

template <class Setup, template <class> class Layer>
struct OneLayer : halfstep::nn::Module<Setup> {
  explicit OneLayer(Index hidden) : layer(*this, "layer", hidden, hidden) {}
  Layer<Setup> layer;
};

/// Forward and backward through one layer, all its gradients.
template <class Setup, template <class> class Layer>
Figures measure_layer(const deepbench::Recurrent& r, Index gates, double seconds) {
  using Storage = typename Setup::Activation;
  OneLayer<Setup, Layer> model(r.hidden);
  model.initialise(1);
  auto scaler = halfstep::default_scaler(model.parameters());
  const halfstep::nn::Input<Setup> x(
      measure::random_tensor_on<Storage, GpuBackend>({r.batch, r.time, r.hidden}));
  const auto passes = [&](int) {
    auto gradients = halfstep::backward(scaler.scale(halfstep::mean(model.layer(x))));
  };
  const auto sequence = static_cast<double>(r.batch * r.time) * static_cast<double>(r.hidden);
  const auto weights = 2.0 * static_cast<double>(gates * r.hidden) * static_cast<double>(r.hidden);
  Figures figures;
  // x is given: it has no gradient.
  figures.flop = 2.5 * 2.0 * static_cast<double>(r.batch * r.time) * weights;
  // Forward reads x and weights and writes y; backward reads all three and writes the gradient.
  figures.bytes = static_cast<double>(sizeof(Storage)) * (2.0 * 2.0 * sequence + 3.0 * weights);
  figures.seconds = measure::DeviceTimer(passes, measure::Calls::steps).samples(seconds).median();
  return figures;
}
template <class Setup>
Figures measure_problem(const deepbench::Recurrent& r, double seconds) {
  if (r.cell == std::string("lstm")) return measure_layer<Setup, halfstep::nn::LSTM>(r, 4, seconds);
  return measure_layer<Setup, halfstep::nn::GRU>(r, 3, seconds);
}

std::string describe(const deepbench::Product& p) {
  return "product " + std::to_string(p.m) + " x " + std::to_string(p.n) + " x " +
         std::to_string(p.k) + " " + (p.transpose_a ? "T" : "N") + (p.transpose_b ? "T" : "N");
}
std::string describe(const deepbench::Convolution& c) {
  const auto pair = [](Index a, Index b) { return std::to_string(a) + "x" + std::to_string(b); };
  return "convolution " + std::to_string(c.batch) + " x " + pair(c.width, c.height) + "x" +
         std::to_string(c.channels) + ", " + std::to_string(c.filters) + " x " +
         pair(c.kernel_width, c.kernel_height) + "/" + std::to_string(c.stride);
}
std::string describe(const deepbench::Recurrent& r) {
  return std::string(r.cell) + " " + std::to_string(r.hidden) + ", " + std::to_string(r.batch) +
         " x " + std::to_string(r.time);
}

class Report {
 public:
  explicit Report(const Options& options)
      : options_(options),
        device_(measure::device_name()),
        json_(options.json),
        table_(headings(options.precisions)) {
    const double bytes_per_second = measure::copy_rate(0.2);
    for (const std::string& precision : options.precisions)
      measure::with_product_precision<GpuBackend>(
          precision, [&]<class Setup>(std::type_identity<Setup>) {
            ceilings_[precision] = {measure::product_rate<Setup>(0.2), bytes_per_second};
          });
  }

  template <class Problem>
  void measure(const Problem& problem) {
    std::vector<std::string> row{describe(problem)}, shares;
    std::map<std::string, double> seconds;
    for (const std::string& precision : options_.precisions) {
      app::Json line{{"program", "deepbench"},
                     {"device", device_},
                     {"application", problem.application},
                     {"problem", describe(problem)},
                     {"precision", precision}};
      try {
        const Figures figures = figures_of(problem, precision);
        const Ceilings& ceilings = ceilings_[precision];
        const double share = ceilings.least_seconds(figures) / figures.seconds;
        seconds[precision] = figures.seconds;
        line["median_ms"] = 1e3 * figures.seconds;
        line["tflops"] = 1e-12 * figures.flop / figures.seconds;
        line["gb_per_s"] = 1e-9 * figures.bytes / figures.seconds;
        line["limit_share"] = share;
        row.push_back(app::fixed(1e3 * figures.seconds, 3));
        shares.push_back(app::fixed(100.0 * share, 0));
      } catch (const halfstep::Error& error) {
        // One problem that the GPU cannot do must not end the table.
        line["error"] = error.what();
        row.push_back("-");
        shares.push_back("-");
      }
      json_.write(line);
    }
    row.insert(row.end(), shares.begin(), shares.end());
    for (const auto& [over, of] : ratios) {
      const bool both = seconds.count(over) != 0 && seconds.count(of) != 0;
      row.push_back(both ? app::fixed(seconds[over] / seconds[of], 2) : "-");
    }
    table_.add(row);
  }
  void print() const {
    if (json_.on_standard_output()) return;
    std::cout << device_
              << "; all passes of training; the limit is the larger of arithmetic at the "
              << "rate of 8192^3 products and memory at a copy's:\n";
    for (const auto& [precision, ceilings] : ceilings_)
      std::cout << "  " << precision << " " << app::fixed(1e-12 * ceilings.flop_per_second, 1)
                << " TFLOP/s, " << app::fixed(1e-9 * ceilings.bytes_per_second, 0) << " GB/s\n";
    std::cout << table_;
  }

 private:
  static constexpr std::array ratios{std::pair{"fp32", "fp16"}, std::pair{"fp32", "bf16"},
                                     std::pair{"tf32", "bf16"}};

  static std::vector<std::string> headings(const std::vector<std::string>& precisions) {
    std::vector<std::string> titles{"problem"};
    for (const std::string& precision : precisions) titles.push_back(precision + "\nms");
    for (const std::string& precision : precisions) titles.push_back(precision + "\n% of limit");
    for (const auto& [over, of] : ratios) titles.push_back(std::string(over) + " /\n" + of);
    return titles;
  }
  template <class Problem>
  Figures figures_of(const Problem& problem, const std::string& precision) const {
    Figures figures;
    measure::with_product_precision<GpuBackend>(
        precision, [&]<class Setup>(std::type_identity<Setup>) {
          figures = measure_problem<Setup>(problem, options_.seconds);
        });
    return figures;
  }

  const Options& options_;
  std::string device_;
  app::JsonLines json_;
  app::Table table_;
  std::map<std::string, Ceilings> ceilings_;
};

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App line("Measures layers of published models on the GPU, by precision.", "gpu_deepbench");
  measure::add_precisions(line, options.precisions);
  line.add_option("--seconds", options.seconds, "of each measurement")
      ->check(app::positive_number())
      ->capture_default_str();
  line.add_option("--json", options.json, "write one JSON object a line to FILE, or to - ");
  return app::run(line, count, arguments, [&] {
    Report report(options);
    for (const auto& problem : deepbench::products) report.measure(problem);
    for (const auto& problem : deepbench::convolutions) report.measure(problem);
    for (const auto& problem : deepbench::recurrents) report.measure(problem);
    report.print();
  });
}
