#pragma once

#include <halfstep/autograd/alternatives.hpp>
#include <halfstep/autograd/recomputation.hpp>
#include <halfstep/autograd/scale_source.hpp>
#include <halfstep/autograd/segment.hpp>
#include <halfstep/autograd/statistics.hpp>
#include <halfstep/numeric/storage_list.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// Fills a new parameter: its values in FP32, its shape, and a seed that differs between
/// parameters.
using Initialiser = std::function<void(std::span<float>, const Shape&, std::uint64_t seed)>;

/// What is known of a parameter whatever its storage type.
struct ParameterInfo {
  std::string name;
  Shape shape;
  std::string_view storage;
  int group = 0;
  bool frozen = false;
};

/// The parameters of a model, flat. Layers register in it and hold an index; the arenas are laid
/// out at first use. The root module owns it; optimizers and gradients share it.
template <class B>
class ParameterStore {
 public:
  template <class T>
  using SegmentOf = autograd::Segment<T, B>;
  /// Registers a parameter stored as `T` and returns its index.
  /// @throws UsageError  the arenas are laid out already, or the name is taken
  template <class T>
  std::size_t add(std::string name, const Shape& shape, Initialiser initialiser) {
    if (laid_out_)
      fail<UsageError>("parameter '", name, "': registered after the model was first used; build ",
                       "all layers in the constructor");
    std::size_t index = 0;
    while (index < entries_.size() && entries_[index].info.name != name) ++index;
    if (alternatives_.in_second()) {
      alternatives_.meet(index, name);
      add_other_form(entries_[index], shape,
                     {numeric_traits<T>::name, std::move(initialiser), &ParameterStore::place<T>});
      return index;
    }
    if (index < entries_.size()) fail<UsageError>("parameter '", name, "' is registered twice");
    entries_.push_back({{std::move(name), shape, numeric_traits<T>::name},
                        std::move(initialiser),
                        &ParameterStore::place<T>});
    return entries_.size() - 1;
  }

  /// The variable of parameter `index`, stored as `T`. Lays the arenas out at first use.
  template <class T>
  Variable<T, B> variable(std::size_t index) {
    lay_out();
    const Entry& entry = entries_[index];
    auto& segment = static_cast<SegmentOf<T>&>(*segments_[entry.segment]);
    TensorOf<T, B> value =
        segment.values().rows(entry.offset, entry.info.shape.size()).reshaped(entry.info.shape);
    if (entry.info.frozen) return value;
    return {std::move(value),
            autograd::Handle<autograd::Slot<T, B>>(segment.slots()[entry.slot].get())};
  }

  /// Gives each parameter its place and its first value. Later calls do nothing.
  void lay_out() {
    if (laid_out_) return;
    laid_out_ = true;
    place_all();
    initialise(seed_);
  }
  bool laid_out() const { return laid_out_; }

  /// (Re)initialises every parameter from this seed; before first use it only says the seed.
  void initialise(std::uint64_t seed) {
    seed_ = seed;
    if (!laid_out_) return;
    std::vector<float> values;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      values.assign(static_cast<std::size_t>(entries_[i].info.shape.size()), 0.0f);
      entries_[i].initialiser(values, entries_[i].info.shape, seed * 0x9E3779B97F4A7C15u + i);
      write(i, values);
    }
  }

  std::size_t count() const { return entries_.size(); }
  const ParameterInfo& info(std::size_t index) const { return entries_[index].info; }
  /// @throws UsageError  there is no parameter of that name
  std::size_t find(std::string_view name) const {
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].info.name == name) return i;
    fail<UsageError>("there is no parameter '", name, "' in this model");
  }

  /// Puts a parameter into a group, or freezes it (no gradient is taken). Where the arenas are laid
  /// out already they are laid out anew, and every value is kept.
  /// @throws UsageError  the group is not within [0, 63], or an optimizer has taken the model
  void arrange(std::size_t index, int group, bool frozen) {
    ParameterInfo& info = entries_[index].info;
    if (info.group == group && info.frozen == frozen) return;
    if (group < 0 || group > 63)
      fail<UsageError>("parameter '", info.name, "': group ", group, " is not within [0, 63]");
    if (taken_)
      fail<UsageError>("parameter '", info.name,
                       "': groups are chosen before an optimizer takes the model");
    std::vector<std::vector<float>> values(laid_out_ ? count() : 0);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = read(i);
    info.group = group;
    info.frozen = frozen;
    if (!laid_out_) return;
    segments_.clear();
    place_all();
    for (std::size_t i = 0; i < values.size(); ++i) write(i, values[i]);
  }
  /// An optimizer keeps what belongs to the arenas: they stay where they are from now on.
  void take() {
    lay_out();
    attempted();
    taken_ = true;
  }

  /// Layers of two forms: see nn::Either and autograd/alternatives.hpp.
  std::size_t open_alternatives(std::string name) {
    return alternatives_.open(std::move(name), entries_.size());
  }
  void open_second_alternative() { alternatives_.open_second(entries_.size()); }
  void close_alternatives() { alternatives_.close(); }
  const std::vector<autograd::Alternatives::Layer>& alternatives() const {
    return alternatives_.layers();
  }
  /// Chooses the form of every such layer whose name fits the pattern; returns their number.
  /// @throws UsageError  the arenas are laid out already, or the pattern names no such layer
  std::size_t choose(Alternative which, std::string_view pattern) {
    if (laid_out_)
      fail<UsageError>("choose '", pattern, "': alternatives are chosen before the model is first ",
                       "used, by an optimizer, a file or a batch");
    return alternatives_.choose(which, pattern, [&](std::size_t i) { entries_[i].exchange(); });
  }

  /// Writes FP32 values: to the master where there is one, and rounded to the weight.
  /// @throws ShapeError  their number is not the parameter's size
  void write(std::size_t index, std::span<const float> values) {
    lay_out();
    const Entry& entry = entries_[index];
    if (static_cast<Index>(values.size()) != entry.info.shape.size())
      fail<ShapeError>("parameter '", entry.info.name, "' of shape ", entry.info.shape,
                       " does not take ", values.size(), " values");
    segments_[entry.segment]->write(entry.offset, values);
    ++version_;
  }
  /// The most exact FP32 values there are: the master's, else the weight's.
  std::vector<float> read(std::size_t index) {
    lay_out();
    const Entry& entry = entries_[index];
    std::vector<float> values(static_cast<std::size_t>(entry.info.shape.size()));
    segments_[entry.segment]->read(entry.offset, values);
    return values;
  }
  /// Rises with every write, so that who keeps something beside the weights sees it.
  std::uint64_t version() const { return version_; }

  std::size_t segment_count() const { return segments_.size(); }
  /// Calls f(SegmentBase<B>&) for each segment.
  template <class F>
  void for_each_segment(F&& f) {
    for (auto& segment : segments_) f(*segment);
  }
  /// Calls f(Segment<T, B>&) for each segment; T is one of Types. What is compiled is only what a
  /// model stores.
  /// @throws PrecisionError  a layer's parameters are stored in another type
  template <class... Types, class F>
  void for_each_stored(StorageList<Types...> types, F&& f) {
    for (auto& segment : segments_) visit(types, *segment, f);
  }
  /// Where a parameter lies.
  autograd::SegmentBase<B>& segment_of(std::size_t index) {
    lay_out();
    return *segments_[entries_[index].segment];
  }
  Index offset_of(std::size_t index) {
    lay_out();
    return entries_[index].offset;
  }
  /// Calls f(Segment<T, B>&, offset) for one parameter; T is one of Types.
  template <class... Types, class F>
  void visit_parameter(StorageList<Types...> types, std::size_t index, F&& f) {
    visit(types, segment_of(index), [&](auto& segment) { f(segment, entries_[index].offset); });
  }

  /// Calls visitor(name, tensor) for all that the model holds besides gradients: weights as they
  /// are stored, what lies beside them, statistics, and where random numbers are. The tensors share
  /// the model's memory and may be written. Waits.
  template <class... Types, class Visitor>
  void visit_state(StorageList<Types...> types, Visitor&& visitor) {
    lay_out();
    for (std::size_t i = 0; i < count(); ++i)
      visit_parameter(types, i, [&](auto& segment, Index offset) {
        const ParameterInfo& info = entries_[i].info;
        const auto part = [&](const char* name, auto& arena) {
          if (arena.empty()) return;
          auto shared = arena.rows(offset, info.shape.size()).reshaped(info.shape);
          visitor(info.name + name, shared);
        };
        part("", segment.values());
        part("/master", segment.masters());
        part("/remainder", segment.remainders());
        part("/compensation", segment.compensations());
      });
    for (std::size_t i = 0; i < statistics_.count(); ++i)
      visitor(statistics_.name(i), statistics_.value(i));
    visitor(std::string("random_step"), attempted());
    auto word = static_cast<std::int64_t>(seed_);
    TensorOf<std::int64_t, B> seed(Shape{1});
    B::upload(std::span<const std::int64_t>(&word, 1), seed.data());
    visitor(std::string("seed"), seed);
    B::download(std::as_const(seed).data(), std::span<std::int64_t>(&word, 1));
    seed_ = static_cast<std::uint64_t>(word);
  }
  /// Training mode (dropout drops, statistics move) or evaluation mode.
  bool training() const { return training_; }
  void set_training(bool training) { training_ = training; }

  /// Steps that were tried, skipped ones too, on the device: with it random numbers differ from
  /// step to step.
  TensorOf<std::int64_t, B>& attempted() {
    if (attempted_.empty()) {
      attempted_ = TensorOf<std::int64_t, B>(Shape{1});
      const std::int64_t zero = 0;
      B::upload(std::span<const std::int64_t>(&zero, 1), attempted_.data());
    }
    return attempted_;
  }
  /// What layers gather while the model trains.
  Statistics<B>& statistics() { return statistics_; }
  /// Registers a statistic and returns its index; the second form of a layer shares the first's.
  std::size_t add_statistic(const std::string& name, const Shape& shape, float start) {
    return alternatives_.in_second() ? statistics_.find(name) : statistics_.add(name, shape, start);
  }
  /// After an optimizer's step: draws begin anew, and statistics are committed or dropped.
  void end_step(const GradientState* gradients) {
    draws_ = 0;
    statistics_.commit(gradients);
  }
  std::uint64_t seed() const { return seed_; }
  /// Random numbers go on where another model's are.
  void continue_random(ParameterStore& other) {
    seed_ = other.seed_;
    B::copy(1, std::as_const(other.attempted()).data(), attempted().data());
  }
  /// Whether an optimizer has taken the model.
  bool taken() const { return taken_; }
  /// A number for the next draw of random numbers within a step.
  std::uint32_t next_draw() { return autograd::RecomputationScope::draw(draws_); }

  /// There is one token of gradients per arena at a time; see gradients.hpp. The groups whose
  /// gradients one is held of, as a set of bits.
  std::uint64_t gradients_held() const { return gradients_held_; }
  void hold_gradients(std::uint64_t groups, bool held) {
    gradients_held_ = held ? gradients_held_ | groups : gradients_held_ & ~groups;
  }
  /// The scale that the gradients in the arenas carry.
  const ScaleSource& gradient_source() const { return gradient_source_; }
  void set_gradient_source(const ScaleSource& source) { gradient_source_ = source; }
  /// Whether the gradients of the last step are sums over passes; see Gradients::accumulated.
  bool accumulated() const { return accumulated_; }
  void set_accumulated(bool accumulated) { accumulated_ = accumulated; }

 private:
  struct Entry;
  /// What a parameter is in a layer's other alternative.
  struct Form {
    std::string_view storage;
    Initialiser initialiser;
    void (ParameterStore::*place)(Entry&);
  };
  struct Entry {
    ParameterInfo info;
    Initialiser initialiser;
    void (ParameterStore::*place)(Entry&) = nullptr;
    std::size_t segment = 0;
    std::size_t slot = 0;
    Index offset = 0;
    std::optional<Form> other = std::nullopt;

    void exchange() {
      std::swap(info.storage, other->storage);
      std::swap(initialiser, other->initialiser);
      std::swap(place, other->place);
    }
  };

  void place_all() {
    for (Entry& entry : entries_) (this->*entry.place)(entry);
    for (auto& segment : segments_) segment->allocate();
  }
  static void add_other_form(Entry& entry, const Shape& shape, Form form) {
    if (entry.info.shape != shape)
      fail<UsageError>("parameter '", entry.info.name, "' has shape ", entry.info.shape, " in the ",
                       "first alternative of its layer and ", shape, " in the second; both must ",
                       "be the same layer");
    if (entry.other) fail<UsageError>("parameter '", entry.info.name, "' is registered twice");
    entry.other = std::move(form);
  }

  template <class T>
  void place(Entry& entry) {
    std::size_t at = 0;
    while (at < segments_.size() && !(segments_[at]->storage() == numeric_traits<T>::name &&
                                      segments_[at]->group() == entry.info.group &&
                                      segments_[at]->frozen() == entry.info.frozen))
      ++at;
    if (at == segments_.size())
      segments_.push_back(std::make_unique<SegmentOf<T>>(entry.info.group, entry.info.frozen));
    auto& segment = static_cast<SegmentOf<T>&>(*segments_[at]);
    entry.segment = at;
    entry.offset = segment.reserve(entry.info.shape);
    entry.slot = segment.slots().size();
    segment.slots().emplace_back(
        new autograd::ParameterSlot<T, B>(segment.gradients(), entry.offset, entry.info.shape));
    segment.slots().back()->set_label(entry.info.name);
  }
  template <class... Types, class F>
  static void visit(StorageList<Types...>, autograd::SegmentBase<B>& segment, F&& f) {
    const auto is = [&]<class T>(std::type_identity<T>) {
      if (segment.storage() != numeric_traits<T>::name) return false;
      f(static_cast<SegmentOf<T>&>(segment));
      return true;
    };
    if (!(is(std::type_identity<Types>{}) || ...))
      fail<PrecisionError>("a layer stores its parameters as ", segment.storage(), ", which its ",
                           "model's Setup does not know; make it Setup<Policy, Backend, ",
                           "also_stores<", segment.storage(), ">>");
  }

  std::vector<Entry> entries_;
  autograd::Alternatives alternatives_;
  std::vector<std::unique_ptr<autograd::SegmentBase<B>>> segments_;
  bool laid_out_ = false;
  bool training_ = true;
  bool taken_ = false;
  std::uint64_t gradients_held_ = 0;
  bool accumulated_ = false;
  ScaleSource gradient_source_;
  std::uint64_t seed_ = 0;
  std::uint64_t version_ = 0;
  std::uint32_t draws_ = 0;
  TensorOf<std::int64_t, B> attempted_;
  Statistics<B> statistics_;
};

}  // namespace halfstep
