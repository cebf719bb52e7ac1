// The rows of "Mixed Precision Training" (arXiv 1710.03740), in small: runs this folder's programs
// in FP32, in FP16 with and without loss scaling and in BF16, and prints their scores side by side:
// build/bin/paper_rows --help

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/options.hpp>
#include <app/table.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

namespace {

/// A row: a kind of model that the paper trains, and our program for it.
struct Row {
  const char* name;
  const char* program;
  const char* arguments;
  const char* score;       ///< the key in the program's result lines
  const char* score_text;  ///< what it is, and which way is better
  bool in_per_cent;
  const char* paper;  ///< what the paper reports for its model of the kind
  const char* precisions = "paper";
};

const Row rows[] = {
    {"cnn", "mnist", "--model cnn --epochs 4", "test_accuracy", "accuracy, up", true,
     "VGG-D, top-1: 65.40, mixed 65.43"},
    {"resnet", "mnist", "--model resnet --epochs 4", "test_accuracy", "accuracy, up", true,
     "ResNet-50, top-1: 75.92, mixed 76.04"},
    {"detector", "detector", "--preset small", "mean_average_precision", "mAP at IoU 0.5, up", true,
     "SSD: 76.9, unscaled diverges, scaled 77.1"},
    {"speech", "speech_ctc", "--preset small", "symbol_error_rate", "symbol errors, down", true,
     "Mandarin, characters wrong: 15.82, mixed 15.01", "paper,fp16_without_masters"},
    {"translate", "translate", "--preset small", "exact_match", "exact, up", true,
     "unscaled falls behind, scaled as FP32"},
    {"language", "char_lstm", "--preset small", "validation_loss", "nats, down", false,
     "bigLSTM: unscaled diverges, scaled as FP32"},
    {"gpt", "char_gpt", "--preset small --sample 0", "validation_loss", "nats, down", false,
     "none: later than the paper"},
    {"gan", "dcgan", "--preset small", "frechet_distance", "Frechet distance, down", false,
     "DCGAN: images look alike"},
};

/// The table's columns.
const std::pair<const char*, const char*> columns[] = {
    {"fp32", "fp32"},
    {"fp16_without_scaling", "fp16,\nunscaled"},
    {"mixed_fp16", "fp16,\nscaled"},
    {"fp16_without_masters", "fp16, no\nmasters"},
    {"mixed_bf16", "bf16"},
};

struct Settings {
  std::string rows = "all";
  int seeds = 1;
  int threads = 0;
  std::string more;  ///< at the end of every program's command line
  std::string json;
};

std::vector<const Row*> chosen_rows(const std::string& list) {
  std::vector<const Row*> chosen;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    const std::size_t before = chosen.size();
    for (const Row& row : rows)
      if (name == "all" || name == row.name) chosen.push_back(&row);
    if (chosen.size() > before) continue;
    std::string known;
    for (const Row& row : rows) known += std::string(", ") + row.name;
    halfstep::fail<app::CommandLineError>("--rows '", name, "' is unknown; choose all", known);
  }
  return chosen;
}

/// The scores of one precision over the seeds, and whether one of its runs was stopped.
struct Scores {
  double sum = 0.0;
  int count = 0;
  bool stopped = false;
};

/// Trains a row's model once and takes its scores.
/// @throws halfstep::Error  the program is not there or writes no result
void run_row(const Row& row, int seed, const Settings& settings,
             const std::filesystem::path& folder, std::map<std::string, Scores>& scores) {
  const std::filesystem::path program = folder / row.program;
  if (!std::filesystem::exists(program))
    halfstep::fail<halfstep::UsageError>(program.string(), " is not built: cmake --build build ",
                                         "--target ", row.program);
  const std::string lines =
      (std::filesystem::temp_directory_path() / ("halfstep-row-" + std::to_string(getpid())))
          .string();
  std::string command = "'" + program.string() + "' " + row.arguments + " --precision " +
                        row.precisions + " --seed " + std::to_string(seed) + " --json '" + lines +
                        "' " + settings.more;
  if (settings.threads > 0) command += " --threads " + std::to_string(settings.threads);
  std::cerr << "\n" << row.name << ": " << command << std::endl;
  command += " 1>&2";  // standard output is the table's
  // Exit code 1 may be a run that diverged, which is a result: the lines say.
  const int status = std::system(command.c_str());
  std::ifstream file(lines);
  int found = 0;
  for (std::string text; std::getline(file, text);) {
    const app::Json line = app::Json::parse(text);
    const std::string event = line.at("event");
    if (event != "result" && event != "error") continue;
    ++found;
    Scores& of = scores[line.at("precision")];
    // JSON has no NaN: a score that is not finite is null.
    if (event == "error" || !line.at(row.score).is_number()) {
      of.stopped = true;
    } else {
      of.sum += line.at(row.score).get<double>();
      ++of.count;
    }
  }
  file.close();
  std::error_code ignored;
  std::filesystem::remove(lines, ignored);
  if (found == 0)
    halfstep::fail<halfstep::UsageError>(row.program, " ended with status ", status,
                                         " and without a result");
}

std::string cell(const Row& row, const std::map<std::string, Scores>& scores, const char* key) {
  const auto at = scores.find(key);
  if (at == scores.end()) return "";
  if (at->second.stopped || at->second.count == 0) return "diverges";
  const double mean = at->second.sum / at->second.count;
  return row.in_per_cent ? app::fixed(100.0 * mean, 2) + " %" : app::fixed(mean, 3);
}

void run_rows(const Settings& settings) {
  const std::vector<const Row*> chosen = chosen_rows(settings.rows);
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  app::JsonLines json(settings.json);
  std::vector<std::string> headings{"row", "score"};
  for (const auto& [key, heading] : columns) headings.push_back(heading);
  headings.push_back("the paper's");
  app::Table table(headings);
  for (const Row* row : chosen) {
    std::map<std::string, Scores> scores;
    for (int seed = 1; seed <= settings.seeds; ++seed)
      run_row(*row, seed, settings, folder, scores);
    std::vector<std::string> cells{row->name, row->score_text};
    app::Json line{{"event", "row"},          {"row", row->name},
                   {"program", row->program}, {"arguments", row->arguments},
                   {"score", row->score},     {"seeds", settings.seeds}};
    for (const auto& [key, heading] : columns) {
      cells.push_back(cell(*row, scores, key));
      const auto at = scores.find(key);
      if (at != scores.end() && !at->second.stopped)
        line[key] = at->second.sum / at->second.count;
      else if (at != scores.end())
        line[key] = nullptr;
    }
    cells.push_back(row->paper);
    table.add(cells);
    json.write(line);
  }
  std::cout << "\n" << table;
}

}  // namespace

int main(int count, char** arguments) {
  Settings settings;
  CLI::App line("Trains the paper's kinds of models in small and compares precisions.",
                "paper_rows");
  line.add_option("--rows", settings.rows,
                  "cnn, resnet, detector, speech, translate, language, gpt or gan, several with "
                  "commas between, or all")
      ->capture_default_str();
  line.add_option("--seeds", settings.seeds, "a score is the mean over seeds 1 to this one")
      ->check(app::at_least(1))
      ->capture_default_str();
  line.add_option("--threads", settings.threads, "threads on the CPU (default: all processors)")
      ->check(app::at_least(1));
  line.add_option("--more", settings.more, "further options for the programs: '--steps 2000', say")
      ->type_name("OPTIONS");
  line.add_option("--json", settings.json, "write one JSON object a row to FILE, or to - ")
      ->type_name("FILE|-");
  return app::run(line, count, arguments, [&] { run_rows(settings); });
}
