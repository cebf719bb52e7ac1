// A trained model as a program uses it: loads 16-bit weights, predicts one sample, and says how
// long that takes beside the bare matrix-vector products in it: build/bin/deploy --help

#include <app/command_line.hpp>
#include <app/table.hpp>
#include <app/timing.hpp>

#include <halfstep/halfstep.hpp>

namespace hs = halfstep;

namespace {

using Setup = hs::Setup<hs::MixedBf16>;

/// README's first program trains this one and saves it.
struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Setup> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

void train_and_save(const hs::data::ClassificationSet& train, const std::string& path) {
  Classifier model;
  model.initialise(1);
  hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 1e-3});
  for (const auto& batch : hs::data::Loader<Setup>(train, {.batch_size = 128, .seed = 1}))
    trainer.step(batch, [](const auto& model, const auto& batch) {
      return hs::cross_entropy(model(batch.x), batch.y);
    });
  // What predicting needs: the weights in 16 bits, half the size of their masters.
  hs::io::save(model, path, {.masters = false});
}

/// y = W x for weights [out, in], as the backend multiplies it, and nothing else.
class MatrixVector {
 public:
  MatrixVector(hs::Index in, hs::Index out)
      : in_(in), out_(out), w_({out, in}), x_({in}), y_({out}) {
    hs::RandomStream random(1);
    for (auto* values : {&w_, &x_})
      for (auto& value : values->span()) value = hs::storage_cast<T>(random.normal());
  }
  void operator()() {
    hs::GemmProblem problem;
    problem.m = 1;
    problem.n = out_;
    problem.k = in_;
    problem.transpose_b = true;
    Setup::Backend::gemm<Setup::Compute>(problem, x_.read().data(), w_.read().data(), y_.data(),
                                         static_cast<const T*>(nullptr));
  }

 private:
  using T = Setup::Activation;
  hs::Index in_;
  hs::Index out_;
  hs::Tensor<T> w_;
  hs::Tensor<T> x_;
  hs::Tensor<T> y_;
};

}  // namespace

int main(int count, char** arguments) {
  app::Options options;
  options.data = app::carried_data("mnist");
  std::string file;
  hs::Index sample = 0;
  CLI::App line("Predicts one of MNIST's test images with a trained model.", "deploy");
  line.add_option("FILE", file,
                  "a model that first_program saved (default: one is trained for an epoch and "
                  "saved as classifier.safetensors)");
  app::add_data(line, options, "folder with MNIST's four files, gzip or not");
  line.add_option("--sample", sample, "which test image, from 0")
      ->check(app::at_least(0))
      ->capture_default_str();
  app::add_threads(line, options);
  return app::run(line, count, arguments, [&] {
    app::apply_threads(options);
    const auto [train, test] = hs::data::mnist(options.data);
    const auto asked = test.get(sample);
    if (file.empty()) {
      file = "classifier.safetensors";
      train_and_save(train, file);
      std::cout << "trained for an epoch and saved as " << file << "\n";
    }
    const auto predict = hs::Predictor<Classifier>::load(file);
    const std::vector<float> logits = predict(asked.features);
    const auto digit = std::max_element(logits.begin(), logits.end()) - logits.begin();
    std::cout << "test image " << sample << ": predicted " << digit << ", labelled " << asked.label
              << "\n";

    std::vector<float> outputs(logits.size());
    MatrixVector hidden(784, 512);
    MatrixVector out(512, 10);
    std::vector<double> prediction_us;
    std::vector<double> products_us;
    // In turns, so that a busy machine slows both alike.
    for (int i = 0; i < 2000; ++i) {
      prediction_us.push_back(1e3 * app::milliseconds([&] { predict(asked.features, outputs); }));
      products_us.push_back(1e3 * app::milliseconds([&] {
                              hidden();
                              out();
                            }));
    }
    app::Table table({"one sample", "median"});
    table.add({"prediction", app::fixed(app::median(prediction_us), 1) + " us"});
    table.add({"its bare products", app::fixed(app::median(products_us), 1) + " us"});
    std::cout << table;
  });
}
