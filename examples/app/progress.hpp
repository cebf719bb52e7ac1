#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <string>

namespace app {

/// Says how far a run is: on a terminal one line that is rewritten, elsewhere a plain line at each
/// milestone.
class Progress {
 public:
  /// @param on_error_stream  standard output belongs to something else (`--json -`)
  explicit Progress(bool on_error_stream = false)
      : out_(on_error_stream ? std::cerr : std::cout),
        descriptor_(on_error_stream ? STDERR_FILENO : STDOUT_FILENO),
        terminal_(isatty(descriptor_) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  std::ostream& out() { return out_; }

  /// Whether a passing state would be shown now: ten times a second is enough for the eye.
  bool wants_state() const {
    return terminal_ && std::chrono::steady_clock::now() - shown_ >= std::chrono::milliseconds(100);
  }
  /// A passing state, which the next one replaces; only terminals show it.
  void state(const std::string& text) {
    if (!terminal_) return;
    shown_ = std::chrono::steady_clock::now();
    rewrite(text);
  }
  /// Something worth a line where lines stay; a terminal shows it until the next state.
  void milestone(const std::string& text) {
    if (terminal_)
      rewrite(text);
    else
      out_ << text << std::endl;
  }
  /// A line that stays, everywhere.
  void line(const std::string& text) {
    clear();
    out_ << text << std::endl;
  }
  /// Takes the passing state off the terminal.
  void clear() {
    if (!dirty_) return;
    out_ << "\r\033[K" << std::flush;
    dirty_ = false;
  }

 private:
  void rewrite(std::string text) {
    // A line that wraps cannot be rewritten.
    winsize size{};
    if (ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && text.size() >= size.ws_col)
      text.resize(size.ws_col - 1u);
    out_ << "\r" << text << "\033[K" << std::flush;
    dirty_ = true;
  }

  std::ostream& out_;
  int descriptor_;
  bool terminal_;
  bool dirty_ = false;
  std::chrono::steady_clock::time_point shown_{};
};

}  // namespace app
