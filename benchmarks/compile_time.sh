#!/usr/bin/env bash
# How long and in how much memory a program compiles: bash benchmarks/compile_time.sh [program.cpp]
#
# g++ -O2 of README's first program (examples/first_program.cpp) with oneDNN, and with Eigen alone;
# the goals are about 5 s and 10 s, in under 1 GB. CXX chooses another compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${1:-examples/first_program.cpp}
compiler=${CXX:-g++}
if [ ! -f "$program" ]; then
  echo "compile_time: there is no file $program" >&2
  exit 2
fi
object=$(mktemp --suffix=.o)
trap 'rm -f "$object"' EXIT

# Prints seconds of processor time (what a quiet machine's clock would show) and peak memory.
measure() {
  local name=$1
  shift
  python3 - "$name" "$@" <<'END'
import os, resource, subprocess, sys, time
name, command = sys.argv[1], sys.argv[2:]
start = time.monotonic()
result = subprocess.run(command)
wall = time.monotonic() - start
if result.returncode != 0:
    sys.exit(1)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{name:8} {use.ru_utime + use.ru_stime:6.1f} s of processor, {wall:6.1f} s by the clock, "
      f"{use.ru_maxrss / 1024:6.0f} MiB at most")
END
}

flags=(-std=c++20 -O2 -I include -c "$program" -o "$object")
measure onednn "$compiler" "${flags[@]}" -DHALFSTEP_ONEDNN -DHALFSTEP_OPENMP -fopenmp
measure eigen "$compiler" "${flags[@]}" -isystem /usr/include/eigen3
