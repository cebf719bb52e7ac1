#pragma once

#include <halfstep/io/json_string.hpp>
#include <halfstep/train/telemetry_sample.hpp>

#include <charconv>
#include <cmath>
#include <cstdio>

namespace halfstep::inline HALFSTEP_ABI::train {

/// A sample as one line of JSON, its tensors inside:
///
///   {"run": "mixed_fp16", "step": 100, "loss": 0.3, "loss_scale": 65536, "applied": true,
///    "skip_reason": "none", "first_non_finite": null, "tensors": [
///     {"kind": "gradient", "name": "hidden.weight", "storage": "float16", "shape": [512, 784],
///      "size": 401408, "zeros": 0, "infinities": 0, "nans": 0, "flushed": 93,
///      "flushed_share": 0.0002, "overflowed_share": 0, "smallest": -0.02, "largest": 0.03,
///      "first_exponent": -31, "exponents": [4, 9, ...]}, ...]}
///
/// What JSON cannot hold (a loss that is NaN, the range of numbers none of which is finite) is
/// null.
class JsonSample {
 public:
  /// @throws IoError  a name is not UTF-8
  explicit JsonSample(const TelemetrySample& sample) {
    text_.reserve(std::size_t{1} << 15);
    open('{');
    put("run", sample.run);
    put("step", sample.step);
    put("loss", sample.loss);
    put("loss_scale", sample.loss_scale);
    key("applied");
    text_ += sample.applied ? "true" : "false";
    put("skip_reason", sample.skip_reason);
    key("first_non_finite");
    if (sample.first_non_finite)
      origin(*sample.first_non_finite);
    else
      text_ += "null";
    key("tensors");
    open('[');
    for (const TensorRecord& record : sample.tensors) tensor(record);
    close(']');
    close('}');
    text_ += '\n';
  }
  const std::string& text() const { return text_; }

 private:
  void tensor(const TensorRecord& record) {
    next();
    open('{');
    put("kind", std::string(to_string(record.kind)));
    put("name", record.name);
    put("storage", record.storage);
    shape(record.shape);
    put("size", record.size);
    put("zeros", record.zeros);
    put("infinities", record.infinities);
    put("nans", record.nans);
    if (record.kind == TensorKind::gradient) {
      put("flushed", record.tiny);
      put("flushed_share", record.share(record.tiny));
      put("overflowed_share", record.share(record.infinities + record.nans));
    } else if (record.kind == TensorKind::update) {
      put("below_half_ulp", record.tiny);
      put("below_half_ulp_share", record.share(record.tiny));
    }
    range(record.smallest, record.largest);
    put("first_exponent", std::int64_t{record.exponents.first});
    key("exponents");
    open('[');
    for (const std::int64_t count : record.exponents.counts) {
      next();
      number(count);
    }
    close(']');
    close('}');
  }
  void origin(const autograd::NonFiniteOrigin& origin) {
    open('{');
    put("pass", std::string(origin.in_backward ? "backward" : "forward"));
    put("operation", origin.operation);
    key("tensor");
    observed(origin.tensor);
    key("inputs");
    open('[');
    for (const autograd::ObservedRange& input : origin.inputs) {
      next();
      observed(input);
    }
    close(']');
    close('}');
  }
  void observed(const autograd::ObservedRange& tensor) {
    open('{');
    put("name", tensor.name);
    put("storage", tensor.storage);
    shape(tensor.shape);
    put("infinities", tensor.infinities);
    put("nans", tensor.nans);
    range(tensor.smallest, tensor.largest);
    close('}');
  }
  void shape(const Shape& extents) {
    key("shape");
    open('[');
    for (const Index extent : extents) {
      next();
      number(extent);
    }
    close(']');
  }
  void range(double smallest, double largest) {
    put("smallest", smallest);
    put("largest", largest);
  }

  void put(const char* name, const std::string& value) {
    key(name);
    text_ += io::json_string(value);
  }
  void put(const char* name, std::int64_t value) {
    key(name);
    number(value);
  }
  void number(std::int64_t value) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  /// JSON has no inf and no NaN.
  void put(const char* name, double value) {
    key(name);
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.17g", value);
    text_ += std::isfinite(value) ? digits : "null";
  }
  void key(const char* name) {
    next();
    ((text_ += '"') += name) += "\":";
  }
  /// A comma, but for the first.
  void next() {
    if (text_.back() != '{' && text_.back() != '[') text_ += ',';
  }
  void open(char bracket) { text_ += bracket; }
  void close(char bracket) { text_ += bracket; }

  std::string text_;
};

}  // namespace halfstep
