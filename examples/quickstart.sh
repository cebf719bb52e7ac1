#!/usr/bin/env bash
# Trains a network on MNIST in every precision and ends in a table: bash examples/quickstart.sh
#
# Installs what is missing, builds one program under build/, and runs it; arguments are handed to it
# (build/bin/mnist --help names them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/install-dependencies.sh quickstart
first=()
if [ ! -f build/CMakeCache.txt ]; then
  if command -v ninja >/dev/null; then first+=(-G Ninja); fi
  # Backend cuda takes nvcc minutes: only for those who can use it.
  if ! nvidia-smi -L >/dev/null 2>&1; then first+=(-DHALFSTEP_USE_CUDA=OFF); fi
fi
cmake -S . -B build "${first[@]}" -DHALFSTEP_BUILD_EXAMPLES=ON
cmake --build build --parallel "$(nproc)" --target mnist
exec build/bin/mnist --precision all "$@"
