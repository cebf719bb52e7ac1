#!/usr/bin/env bash
# Installs what halfstep's examples and tests need, on Debian and Ubuntu.
#
#   bash cmake/install-dependencies.sh [quickstart|quick|tests|all]
#
#   quickstart  what examples/quickstart.sh needs
#   quick       that, and what tests/run.sh --quick needs
#   tests       that, and what tests/run.sh needs
#   all         that, and what .ci/run and the benchmarks need (the default)
#
# What is installed is skipped. Without root and without sudo it prints the command to run.
set -euo pipefail

packages=(g++ cmake ninja-build libdnnl-dev libeigen3-dev zlib1g-dev nlohmann-json3-dev
          libcli11-dev)
case "${1:-all}" in
  quickstart) ;;
  quick) packages+=(libgtest-dev) ;;
  tests) packages+=(libgtest-dev clang) ;;
  all) packages+=(libgtest-dev clang libbenchmark-dev clang-format clang-tidy) ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

missing=()
for package in "${packages[@]}"; do
  # A program may come from elsewhere than its package.
  case $package in
    g++ | cmake | clang-format | clang-tidy) command -v "$package" >/dev/null && continue ;;
    ninja-build) command -v ninja >/dev/null && continue ;;
    clang) command -v clang++ >/dev/null && continue ;;
  esac
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-dependencies: everything is there"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "install-dependencies: no apt-get here; install what these Debian packages hold: ${missing[*]}" >&2
  exit 1
fi
line="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  as_root=(sudo env)
else
  echo "install-dependencies: root is needed; run this, then start again:" >&2
  echo "  sudo apt-get update && sudo $line" >&2
  exit 1
fi
echo "install-dependencies: apt-get update && $line"
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get update -q
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive $line
