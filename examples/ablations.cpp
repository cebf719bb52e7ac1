// What each mechanism of mixed precision is for: trains small problems with it and without, as
// Micikevicius et al. did ("Mixed Precision Training", arXiv 1710.03740, section 3), and shows why
// what fails does: build/bin/ablations --help

#include <app/ablations/ablation.hpp>
#include <app/command_line.hpp>

int main(int count, char** arguments) {
  app::Options options;
  options.threads = 1;  // the problems are too small to share
  CLI::App line("Trains with and without each mechanism of mixed precision.", "ablations");
  line.add_option("--seed", options.seed, "the first of three seeds")
      ->check(app::at_least(0))
      ->capture_default_str();
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    app::apply_threads(options);
    app::JsonLines json(options.json);
    const auto first = static_cast<std::uint64_t>(options.seed);
    const app::AblationSettings settings{{first, first + 1, first + 2}};
    std::string failed;
    for (const auto run : {app::without_master_weights, app::without_loss_scaling,
                           app::with_16_bit_accumulators, app::with_16_bit_gradient_sums}) {
      const app::Ablation ablation = run(settings);
      if (!json.on_standard_output()) app::print(std::cout, ablation, settings);
      app::write(json, ablation, settings);
      if (!ablation.holds) failed += (failed.empty() ? "" : ", ") + ablation.name;
    }
    if (!failed.empty()) halfstep::fail<halfstep::Error>("not as the paper has it: ", failed);
  });
}
