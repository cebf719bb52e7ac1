#pragma once

#include <halfstep/autograd/parameters.hpp>
#include <halfstep/autograd/step_report.hpp>
#include <halfstep/backend/cpu/count_updates.hpp>
#include <halfstep/core/file.hpp>
#include <halfstep/train/telemetry_json.hpp>
#include <halfstep/train/telemetry_table.hpp>

#include <mutex>

namespace halfstep::inline HALFSTEP_ABI {

struct TelemetrySettings {
  /// Every so many steps one is looked into, the first one too.
  std::int64_t every = 100;
  /// Takes one JSON object a sampled step (train/telemetry_json.hpp says which); empty: none.
  std::string file{};
};

/// Shows how a training step's numbers lie in their types. In a sampled step it counts, exactly,
/// the binary exponents of
///   * activations: the result of every operation;
///   * gradients, without the loss scale: those of activations and of parameters; how many would be
///     0 in FP16 without it (0 < |g| <= 2^-25), and how many overflowed as they are stored;
///   * updates: what the step has changed each parameter by, in FP32 (0 where it was skipped); how
///     many are not 0 and below half an ulp of their weight as it is stored;
/// and names the first operation and tensor that were not finite, with the ranges of its inputs.
///
///   Telemetry telemetry({.every = 100, .file = "run.jsonl"});
///   trainer.observe(&telemetry);
///   ...
///   std::cout << telemetry.table();
///
/// A sampled step waits for the device, and takes up to one and a half steps' time; the other steps
/// cost nothing. Several micro-batches of a step are counted together; a gradient that is not
/// accumulated in FP32 beside its parameter counts as the sum so far, after each of them.
class Telemetry final : private autograd::Observer {
 public:
  /// @throws UsageError  `every` is below 1
  /// @throws IoError     the file cannot be made
  explicit Telemetry(TelemetrySettings settings = {}) : settings_(std::move(settings)) {
    if (settings_.every < 1)
      fail<UsageError>("TelemetrySettings: every = ", settings_.every, " must be at least 1");
    if (settings_.file.empty()) return;
    errno = 0;
    file_.reset(std::fopen(settings_.file.c_str(), "wb"));
    if (file_ == nullptr)
      fail<IoError>("Telemetry: cannot create ", settings_.file, ": ", std::strerror(errno),
                    "; choose a folder that exists and may be written");
  }

  /// Begins a run of that name (a precision, say): steps are counted and tables made anew. Its
  /// lines go to the same file.
  void start(std::string run) {
    sample_ = {};
    sample_.run = std::move(run);
    steps_ = 0;
    samples_ = 0;
    totals_ = {};
  }

  /// Runs a step, and looks into it where its turn has come. For those who write their own loop:
  ///
  ///   auto report = telemetry.step(
  ///       model.parameters(), [&] { return scaler.current_scale(); },
  ///       [&] { ...; return scaler.step(optimizer, std::move(gradients)); });
  ///
  /// @param scale  returns the loss scale of the step; called in sampled ones alone
  /// @param body   the step, from forward to update; returns its StepReport
  template <class Setup, class Scale, class Body>
  StepReport<typename Setup::Backend> step(const Parameters<Setup>& parameters, const Scale& scale,
                                           const Body& body) {
    if (steps_++ % settings_.every != 0) return body();
    auto& store = *parameters.store();
    begin(scale());
    keep_values(store);
    try {
      auto report = [&] {
        const ObserverScope scope(*this);
        return body();
      }();
      sample_.loss = report.loss();
      sample_.applied = report.applied();
      sample_.skip_reason = to_string(report.skip_reason());
      count_updates(store);
      end();
      return report;
    } catch (...) {
      sample_.skip_reason = "stopped by an error";
      try {
        end();
      } catch (const IoError&) {  // that error matters more
      }
      throw;
    }
  }

  /// How many steps of this run were looked into.
  std::int64_t samples() const { return samples_; }
  /// The step that was looked into last.
  const train::TelemetrySample& last() const { return sample_; }
  /// All samples of this run together; the table holds as long as no step is run.
  train::TelemetryTable table() const {
    std::string title = sample_.run.empty() ? "telemetry" : "telemetry of " + sample_.run;
    title += ", " + std::to_string(samples_) + (samples_ == 1 ? " step" : " steps") + " sampled";
    return {std::move(title), totals_.records};
  }

 private:
  /// Records in the order of their first appearance.
  struct Records {
    std::vector<train::TensorRecord> records;
    std::map<std::pair<train::TensorKind, std::string>, std::size_t> places;

    void add(const train::TensorRecord& record) {
      const auto [place, is_new] = places.try_emplace({record.kind, record.name}, records.size());
      if (is_new)
        records.push_back(record);
      else
        records[place->second].add(record);
    }
    void replace(const train::TensorRecord& record) {
      const auto [place, is_new] = places.try_emplace({record.kind, record.name}, records.size());
      if (is_new)
        records.push_back(record);
      else
        records[place->second] = record;
    }
  };

  void result(const autograd::OperationResult& result) override {
    const autograd::ObservedTensor& value = result.value;
    const ExponentCounts counts = value.count();
    if (auto origin = search_.result(result, counts)) note(*std::move(origin));
    tensors_.add(
        {train::TensorKind::activation, value.name(), value.storage(), value.shape(), counts});
  }
  void gradients(const autograd::OperationGradients& written) override {
    for (const autograd::ObservedTensor& gradient : written.gradients) {
      const ExponentCounts counts = gradient.count({sample_.loss_scale, flushed_in_fp16});
      if (auto origin = search_.gradient(written.operation, gradient, counts))
        note(*std::move(origin));
      // Another operation may add to it; the last one completes it.
      growing_.replace({train::TensorKind::gradient, gradient.name(), gradient.storage(),
                        gradient.shape(), counts, sample_.loss_scale});
    }
  }
  void backward_ended() override {
    for (const train::TensorRecord& gradient : growing_.records) tensors_.add(gradient);
    growing_ = {};
    search_.forget();
  }
  void note(autograd::NonFiniteOrigin origin) {
    if (!sample_.first_non_finite) sample_.first_non_finite = std::move(origin);
  }

  void begin(double scale) {
    std::string run = std::move(sample_.run);
    sample_ = {};
    sample_.run = std::move(run);
    sample_.step = steps_ - 1;
    sample_.loss_scale = scale;
    tensors_ = {};
    growing_ = {};
    search_.forget();
  }
  /// The values of all parameters that may change, one after the other.
  template <class B>
  void keep_values(ParameterStore<B>& store) {
    store.lay_out();
    Index size = 0;
    for_each_changing(store,
                      [&](std::size_t, const ParameterInfo& info) { size += info.shape.size(); });
    if (before_.size() != size) before_ = Tensor<float>(Shape{size});
    float* to = before_.data();
    for_each_changing(store, [&](std::size_t i, const ParameterInfo& info) {
      const auto count = static_cast<std::size_t>(info.shape.size());
      store.segment_of(i).read(store.offset_of(i), {to, count});
      to += count;
    });
  }
  template <class B>
  void count_updates(ParameterStore<B>& store) {
    const float* before = std::as_const(before_).data();
    for_each_changing(store, [&](std::size_t i, const ParameterInfo& info) {
      auto& segment = store.segment_of(i);
      const Index offset = store.offset_of(i);
      const auto stored = precision_of(info.storage);
      ExponentCounts counts;
      std::mutex merging;
      // In pieces that stay in a processor's cache, between the read and the count.
      const auto piece = [&](Index first, Index last) {
        Tensor<float> read;
        const float* after = nullptr;
        if (B::DeviceType::host_accessible && !segment.masters().empty()) {
          after = segment.masters().data() + offset + first;
        } else {
          read = Tensor<float>(Shape{last - first});
          segment.read(offset + first, read.span());
          after = read.data();
        }
        backend::cpu::ExponentTally tally{ExponentScale{}};
        backend::cpu::count_updates(last - first, before + first, after, stored, tally);
        const std::lock_guard lock(merging);
        tally.add_to(counts);
      };
      constexpr Index grain = Index{1} << 16;
      if constexpr (B::DeviceType::host_accessible) {
        backend::cpu::parallel_for(info.shape.size(), grain, piece);
      } else {
        for (Index first = 0; first < info.shape.size(); first += grain)
          piece(first, std::min(first + grain, info.shape.size()));
      }
      tensors_.add({train::TensorKind::update, info.name, info.storage, info.shape, counts});
      before += info.shape.size();
    });
  }
  template <class B, class F>
  static void for_each_changing(ParameterStore<B>& store, const F& f) {
    for (std::size_t i = 0; i < store.count(); ++i)
      if (!store.info(i).frozen) f(i, store.info(i));
  }
  static backend::cpu::StoredPrecision precision_of(std::string_view storage) {
    using backend::cpu::StoredPrecision;
    return storage == numeric_traits<float16>::name    ? StoredPrecision::of<float16>()
           : storage == numeric_traits<bfloat16>::name ? StoredPrecision::of<bfloat16>()
                                                       : StoredPrecision::of<float>();
  }

  void end() {
    sample_.tensors = std::move(tensors_.records);
    tensors_ = {};
    for (const train::TensorRecord& record : sample_.tensors) totals_.add(record);
    ++samples_;
    if (file_ == nullptr) return;
    const std::string line = train::JsonSample(sample_).text();
    errno = 0;
    if (std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() &&
        std::fflush(file_.get()) == 0)
      return;
    file_.reset();
    fail<IoError>("Telemetry: cannot write ", settings_.file, ": ",
                  errno != 0 ? std::strerror(errno) : "the disk refused");
  }

  /// Half of the smallest subnormal, and what is below it, rounds to 0.
  static constexpr double flushed_in_fp16 = numeric_traits<float16>::min_subnormal / 2.0;

  TelemetrySettings settings_;
  detail::OpenFile file_;
  std::int64_t steps_ = 0;
  std::int64_t samples_ = 0;
  train::TelemetrySample sample_;
  Records tensors_;  ///< of this step
  Records growing_;  ///< gradients of this backward pass
  Records totals_;   ///< of this run
  autograd::NonFiniteSearch search_;
  Tensor<float> before_;  ///< the pool's large pages are read sooner than a vector's
};

}  // namespace halfstep
