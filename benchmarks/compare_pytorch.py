#!/usr/bin/env python3
"""Training steps of PyTorch beside build/bin/training_step's, by turns, on the same threads.

  python3 benchmarks/compare_pytorch.py --install DIR     makes a virtual environment with PyTorch
  DIR/bin/python benchmarks/compare_pytorch.py [--models mlp,mlp_wide] [--threads 2] [--json FILE]

PyTorch trains the same networks on random data with its fused AdamW: in FP32, under BF16 autocast,
with everything in BF16, and under FP16 autocast with GradScaler. A ratio above 1 says that halfstep
is that much faster. The wheel for Linux brings CUDA's libraries along (several gigabytes) and runs
without a GPU; PIP_INDEX_URL can name an index with smaller builds.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time
import venv

MODELS = {
    "mlp": ([784, 512, 512, 10], 128),
    "mlp_wide": ([784, 2048, 2048, 2048, 10], 512),
}
# What PyTorch's users have for each of our precisions.
MODES = {
    "fp32": ["fp32"],
    "mixed_bf16": ["bf16_autocast", "all_bf16"],
    "mixed_fp16": ["fp16_autocast"],
}


def install(folder):
    venv.create(folder, with_pip=True)
    python = str(pathlib.Path(folder) / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "numpy", "torch"]
    if subprocess.run(pip).returncode == 0:
        subprocess.run([python, "-c", "import torch; print('PyTorch', torch.__version__)"], check=True)
        print(f"now run: {python} benchmarks/compare_pytorch.py")
        return 0
    print("compare_pytorch: pip could not install PyTorch; its messages are above", file=sys.stderr)
    return 1


class TorchStep:
    """One way to train one model; calling it runs a step."""

    def __init__(self, torch, model, mode, compiled):
        widths, batch = MODELS[model]
        torch.manual_seed(1)
        layers = []
        for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            layers.append(torch.nn.Linear(fan_in, fan_out))
            if i + 2 < len(widths):
                layers.append(torch.nn.ReLU())
        self.torch = torch
        self.net = torch.nn.Sequential(*layers)
        storage = torch.bfloat16 if mode == "all_bf16" else torch.float32
        self.net.to(storage)
        self.run = torch.compile(self.net) if compiled else self.net
        self.x = torch.randn(batch, widths[0]).to(storage)
        self.y = torch.randint(0, widths[-1], (batch,))
        # As slow as training_step's, whose comment says why.
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-6, fused=True)
        self.autocast = {"bf16_autocast": torch.bfloat16, "fp16_autocast": torch.float16}.get(mode)
        self.scaler = torch.amp.GradScaler("cpu") if mode == "fp16_autocast" else None

    def __call__(self):
        torch = self.torch
        enabled = self.autocast is not None
        with torch.autocast("cpu", dtype=self.autocast or torch.bfloat16, enabled=enabled):
            loss = torch.nn.functional.cross_entropy(self.run(self.x).float(), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


def torch_steps(step, seconds):
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def halfstep_step(program, model, precision, threads, seconds):
    command = [program, "--model", model, "--precision", precision, "--threads", str(threads),
               "--seconds", str(seconds), "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", metavar="DIR", help="make a virtual environment with PyTorch there")
    parser.add_argument("--models", default="mlp,mlp_wide")
    parser.add_argument("--precisions", default=",".join(MODES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each program")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--program", default="build/bin/training_step")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if options.install:
        return install(options.install)
    for given, known, option in ((options.models, MODELS, "--models"),
                                 (options.precisions, MODES, "--precisions")):
        for name in given.split(","):
            if name not in known:
                parser.error(f"{option} {name}: choose from {', '.join(known)}")
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds must be at least 1")
    if not pathlib.Path(options.program).exists():
        print(f"compare_pytorch: there is no {options.program}; build it: "
              "cmake --build build --target training_step", file=sys.stderr)
        return 1
    try:
        import torch
    except ImportError as error:
        print(f"compare_pytorch: {error}; make an environment with --install DIR first", file=sys.stderr)
        return 1
    torch.set_num_threads(options.threads)

    rows = []
    print(f"PyTorch {torch.__version__}, {options.threads} threads, medians in ms"
          + (", torch.compile" if options.compile else ""))
    print(f"{'model':10}{'halfstep':>12}{'ms':>9}{'limit':>9}   {'PyTorch':<16}{'ms':>9}{'ratio':>8}")
    for model in options.models.split(","):
        for precision in options.precisions.split(","):
            steps = {mode: TorchStep(torch, model, mode, options.compile) for mode in MODES[precision]}
            for step in steps.values():
                step()
            theirs = {mode: [] for mode in steps}
            ours = []
            for _ in range(options.rounds):
                for mode, step in steps.items():
                    theirs[mode] += torch_steps(step, options.seconds)
                ours.append(halfstep_step(options.program, model, precision, options.threads,
                                          options.seconds))
            median = statistics.median(result["median_ms"] for result in ours)
            limits = [result["limit_ms"] for result in ours if result["limit_ms"]]
            for mode, times in theirs.items():
                row = {"model": model, "precision": precision, "pytorch": mode,
                       "halfstep_ms": median, "pytorch_ms": statistics.median(times),
                       "limit_ms": statistics.median(limits) if limits else None,
                       "ratio": statistics.median(times) / median, "threads": options.threads,
                       "pytorch_version": torch.__version__}
                rows.append(row)
                limit = f"{row['limit_ms']:9.2f}" if limits else f"{'-':>9}"
                print(f"{model:10}{precision:>12}{median:9.2f}{limit}   {mode:<16}"
                      f"{row['pytorch_ms']:9.2f}{row['ratio']:8.2f}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
