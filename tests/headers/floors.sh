#!/usr/bin/env bash
# Holds every header to its floor: bash floors.sh [INCLUDE_FOLDER]
#
# An include points down only, never to a sibling on the same floor; vendor libraries, the compiler's
# CUDA switch and macro definitions stay in their rooms.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "${1:-$top/include}"

find halfstep -type f -name '*.*' | sort | xargs awk '
  BEGIN {
    floors = "core numeric precision tensor ops backend autograd nn,optim,scale,data,io train"
    count = split(floors, rows, " ")
    for (i = 1; i <= count; i++) {
      rooms = split(rows[i], names, ",")
      for (j = 1; j <= rooms; j++) floor_of[names[j]] = i
    }
  }
  function report(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    broken++
  }
  FNR == 1 {
    if (FILENAME !~ /\.(hpp|cuh)$/) report("a header is named .hpp or .cuh")
    parts = split(FILENAME, path, "/")
    room = parts > 2 ? path[2] : ""
    top = parts == 2 && path[2] ~ /^(halfstep|cuda)\.hpp$/
    if (!top && !(room in floor_of)) report("folder " room "/ is on no floor; add it to the floors here and in the README")
    cuda_room = FILENAME ~ /^halfstep\/(backend\/cuda|cuda\.hpp)/
    if (NR > 1 && !once) { printf "%s: no #pragma once\n", previous; broken++ }
    once = 0
    previous = FILENAME
  }
  /^#pragma once/ { once = 1 }
  /^[ \t]*#[ \t]*include/ {
    if (match($0, /[<"][^>"]*[>"]/) == 0) { report("an include without a name"); next }
    quoted = substr($0, RSTART, 1) == "\""
    target = substr($0, RSTART + 1, RLENGTH - 2)
    if (quoted) report("include as <halfstep/floor/x.hpp>, not \"" target "\"")
    if (target ~ /^halfstep\//) {
      pieces = split(target, to, "/")
      if (pieces == 2) {
        if (!(top && FILENAME ~ /cuda\.hpp$/ && target == "halfstep/halfstep.hpp"))
          report("includes " target ", which stands on top of all floors")
      } else if (!(to[2] in floor_of)) {
        report("includes " target ", which is on no floor")
      } else if (!top && to[2] != room && floor_of[to[2]] >= floor_of[room]) {
        report("includes " target ": a floor includes lower floors only")
      }
    }
    if (target ~ /^(cuda|cublas|cudnn|curand|nccl|device_launch)/ && !cuda_room)
      report("<" target "> is included in backend/cuda/ only")
    if (target ~ /^(dnnl|oneapi\/)/ && room != "backend") report("<" target "> is included in backend/ only")
    if (target ~ /^(unsupported\/)?Eigen\// && room != "backend" && room != "data")
      report("<" target "> is included in backend/ and data/ only")
  }
  /^[ \t]*#.*(__CUDACC__|__CUDA_ARCH__)/ && room != "core" && !cuda_room { report("__CUDACC__ stands in core/ and backend/cuda/ only") }
  /^[ \t]*#[ \t]*define/ && room != "core" { report("macros are defined in core/ only") }
  END {
    if (NR > 0 && !once) { printf "%s: no #pragma once\n", previous; broken++ }
    if (NR == 0) { print "no header was found"; broken++ }
    if (broken) { printf "%d broken\n", broken; exit 1 }
  }'
echo "every header is on its floor"
