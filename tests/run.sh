#!/usr/bin/env bash
# Builds and runs the tests: bash tests/run.sh [--quick]
#
#   --quick   the core, numeric, tensor, precision, autograd and scaler tests, without the longest
#
# Installs what is missing, builds under build/, and ends with ctest's own summary.
# HALFSTEP_JOBS sets how many compilers run at once (default: the number of processors).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=
case "${1:-}" in
  '') ;;
  --quick) quick=1 ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

bash cmake/install-dependencies.sh "$([ -n "$quick" ] && echo quick || echo tests)"
# Two tests at a time share the cores: threads that wait must not spin.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
jobs=${HALFSTEP_JOBS:-$(nproc)}
generator=()
if [ ! -f build/CMakeCache.txt ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
cmake -S . -B build "${generator[@]}" -DHALFSTEP_BUILD_TESTS=ON -DHALFSTEP_BUILD_EXAMPLES=ON \
  -DHALFSTEP_USE_CUDA=ON

if [ -n "$quick" ]; then
  cmake --build build --parallel "$jobs" --target quick_tests
  exec ctest --test-dir build --output-on-failure --parallel "$jobs" -L '^quick$'
fi
cmake --build build --parallel "$jobs" --target all_tests all_examples
exec ctest --test-dir build --output-on-failure --parallel "$jobs" -LE exhaustive
