#!/usr/bin/env bash
# Trains a network on MNIST in every precision and ends in a table: bash examples/quickstart.sh
#
# Installs what is missing, builds one program under build/, and runs it; arguments are handed to it
# (build/bin/mnist --help names them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/install-dependencies.sh quickstart
generator=()
if [ ! -f build/CMakeCache.txt ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
cmake -S . -B build "${generator[@]}" -DHALFSTEP_BUILD_EXAMPLES=ON
cmake --build build --parallel "$(nproc)" --target mnist
exec build/bin/mnist --precision all "$@"
