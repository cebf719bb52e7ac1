#!/usr/bin/env python3
"""Training steps of PyTorch beside build/bin/training_step's, by turns, on the same threads.

  python3 benchmarks/compare_pytorch.py --install DIR     makes a virtual environment with PyTorch
  DIR/bin/python benchmarks/compare_pytorch.py [--models mlp,mlp_wide,cnn,gpt] [--threads 2]
                                                [--json FILE]
  DIR/bin/python benchmarks/compare_pytorch.py --optimizer [--threads 2] [--json FILE]

PyTorch trains the same networks on random data with its fused AdamW: in FP32, under BF16 autocast,
with everything in BF16, and under FP16 autocast with GradScaler. The CNN is tried in both of
PyTorch's memory formats, channels first and channels last. A ratio above 1 says that halfstep is
that much faster. PyTorch's FP16 takes half a minute for a step of the GPT on a CPU: there it runs
only where --modes asks for it, and our FP16 stands beside PyTorch's FP32.

With --optimizer it is what follows backward, on 20 M parameters: GradScaler's unscale_,
clip_grad_norm_, fused AdamW under GradScaler, and casting the weights to FP16, beside
build/bin/optimizer_pass's whole_step.

The wheel for Linux brings CUDA's libraries along (several gigabytes) and runs without a GPU;
PIP_INDEX_URL can name an index with smaller builds.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time
import venv

MODELS = ["mlp", "mlp_wide", "cnn", "gpt"]
# What PyTorch's users have for each of our precisions.
MODES = {
    "fp32": ["fp32"],
    "mixed_bf16": ["bf16_autocast", "all_bf16"],
    "mixed_fp16": ["fp16_autocast"],
}


def modes_of(model, precision, allowed):
    """The ways that are tried; "channels_last" after a mode is the CNN's memory format."""
    modes = MODES[precision]
    if allowed:
        modes = [mode for mode in modes + MODES["fp32"] if mode in allowed]
    elif model == "gpt" and precision == "mixed_fp16":
        modes = MODES["fp32"]
    modes = list(dict.fromkeys(modes))
    if model == "cnn":
        modes = [mode + layout for mode in modes for layout in ("", " channels_last")]
    return modes


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


def mlp(torch, widths):
    nn = torch.nn
    layers = [nn.Linear(widths[0], widths[1])]
    for fan_in, fan_out in zip(widths[1:], widths[2:]):
        layers += [nn.ReLU(), nn.Linear(fan_in, fan_out)]
    return nn.Sequential(*layers)


def cnn(torch):
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(),
                         nn.Linear(128, 10))


def gpt(torch, vocabulary, layers, heads, width, context):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def attention(self, x):
            qkv = self.qkv(x).unflatten(-1, (3, heads, width // heads)).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(*qkv, is_causal=True)
            return self.projection(y.transpose(1, 2).flatten(2))

        def forward(self, x):
            x = x + self.attention(self.ln1(x))
            return x + self.down(nn.functional.gelu(self.up(self.ln2(x)), approximate="tanh"))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(vocabulary, width)
            self.position = nn.Embedding(context, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.ln = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)
            self.register_buffer("positions", torch.arange(context))

        def forward(self, tokens):
            x = self.blocks(self.token(tokens) + self.position(self.positions))
            return self.head(self.ln(x)).flatten(0, 1)

    return Gpt()


def training_case(torch, model):
    """The network of training_step's model, and a batch of random data."""
    if model == "gpt":
        tokens = torch.randint(0, 65, (2, 8, 256))
        return gpt(torch, 65, 6, 6, 384, 256), tokens[0], tokens[1].flatten()
    if model == "cnn":
        return cnn(torch), torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    widths, batch = {"mlp": ([784, 512, 512, 10], 128),
                     "mlp_wide": ([784, 2048, 2048, 2048, 10], 512)}[model]
    return mlp(torch, widths), torch.randn(batch, widths[0]), torch.randint(0, 10, (batch,))


class TorchStep:
    """One way to train one model; calling it runs a step."""

    def __init__(self, torch, model, mode, compiled):
        torch.manual_seed(1)
        self.torch = torch
        self.net, self.x, self.y = training_case(torch, model)
        mode, _, layout = mode.partition(" ")
        if layout:
            self.net.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        if mode == "all_bf16":
            self.net.to(torch.bfloat16)
            if self.x.is_floating_point():
                self.x = self.x.to(torch.bfloat16)
        self.run = torch.compile(self.net) if compiled else self.net
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


def torch_steps(step, seconds, prepare=lambda: None):
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        prepare()
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


def compare_steps(torch, options):
    rows = []
    print(f"{processor()}, PyTorch {torch.__version__}, {options.threads} threads, medians in ms"
          + (", torch.compile" if options.compile else "") + "; ratios are medians of rounds")
    print(f"{'model':10}{'halfstep':>12}{'ms':>9}{'limit':>9}{'kept':>9}   {'PyTorch':<28}{'ms':>9}"
          f"{'ratio':>7}  (least, most)")
    for model in options.models.split(","):
        for precision in options.precisions.split(","):
            modes = modes_of(model, precision, options.modes and options.modes.split(","))
            if not modes:
                continue
            steps = {mode: TorchStep(torch, model, mode, options.compile) for mode in modes}
            for step in steps.values():
                step()
            rounds = []
            for _ in range(options.rounds):
                theirs = {mode: statistics.median(torch_steps(step, options.seconds))
                          for mode, step in steps.items()}
                ours = halfstep_step(options.program, model, precision, options.threads,
                                     options.seconds)
                rounds.append((ours, theirs))
            median = statistics.median(ours["median_ms"] for ours, _ in rounds)
            limits = [ours["limit_ms"] for ours, _ in rounds if ours["limit_ms"]]
            kept = rounds[0][0]["activation_bytes"]
            for mode in modes:
                # A ratio is of neighbours in time, for the machine's rate moves meanwhile.
                ratios = [theirs[mode] / ours["median_ms"] for ours, theirs in rounds]
                row = {"model": model, "precision": precision, "pytorch": mode,
                       "halfstep_ms": median, "activation_bytes": kept,
                       "pytorch_ms": statistics.median(theirs[mode] for _, theirs in rounds),
                       "limit_ms": statistics.median(limits) if limits else None,
                       "ratio": statistics.median(ratios), "ratios": ratios,
                       "threads": options.threads, "processor": processor(),
                       "pytorch_version": torch.__version__}
                rows.append(row)
                limit = f"{row['limit_ms']:9.2f}" if limits else f"{'-':>9}"
                print(f"{model:10}{precision:>12}{median:9.2f}{limit}{kept / 2**20:6.1f}MiB   "
                      f"{mode:<28}{row['pytorch_ms']:9.2f}{row['ratio']:7.2f}"
                      f"  ({min(ratios):.2f}, {max(ratios):.2f})", flush=True)
    return rows


class TorchOptimizerStep:
    """What PyTorch does between backward and the next forward in FP16, on `tensors` equal tensors.

    Gradients are FP32, as autocast leaves them. The products of the next forward read the weights
    in FP16: autocast casts each of them once an iteration.
    """

    PARAMETERS = 20_000_000

    def __init__(self, torch, tensors):
        torch.manual_seed(1)
        self.torch = torch
        shape = self.PARAMETERS // tensors
        self.weights = [torch.nn.Parameter(0.02 * (torch.rand(shape) - 0.5)) for _ in range(tensors)]
        self.halves = [torch.empty(shape, dtype=torch.float16) for _ in range(tensors)]
        self.scaled = [torch.randn(shape) for _ in range(tensors)]
        for weight in self.weights:
            weight.grad = torch.empty(shape)
        self.optimizer = torch.optim.AdamW(self.weights, fused=True)
        self.scaler = torch.amp.GradScaler("cpu")
        self.scaler.scale(torch.tensor(1.0))  # makes its state

    def prepare(self):
        """What backward does, and is not timed: gradients that carry the scale."""
        for weight, scaled in zip(self.weights, self.scaled):
            weight.grad.copy_(scaled)

    def __call__(self):
        self.scaler.unscale_(self.optimizer)
        self.torch.nn.utils.clip_grad_norm_(self.weights, 0.01)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with self.torch.no_grad():
            for half, weight in zip(self.halves, self.weights):
                half.copy_(weight)


def halfstep_optimizer_step(program, threads):
    """Nanoseconds a parameter, and the ratio to plain loops over the same bytes."""
    command = [program, f"--benchmark_filter=whole_step<.*MixedFp16>/threads:{threads}/",
               "--benchmark_format=json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0 or not result.stdout.strip():
        raise RuntimeError(f"{program}: no whole_step on {threads} threads: {result.stderr.strip()}")
    run = json.loads(result.stdout)["benchmarks"][0]
    return run["ns_per_parameter"], run["ratio"]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown processor"


def compare_optimizers(torch, options):
    ways = {f"{count} tensors" if count > 1 else "one tensor": TorchOptimizerStep(torch, count)
            for count in (1, 20, 200)}
    for step in ways.values():  # makes moments
        step.prepare()
        step()
    rounds = []
    for _ in range(options.rounds):
        # A ratio is of neighbours in time, for the machine's rate moves meanwhile.
        row = {}
        for name, step in ways.items():
            times = torch_steps(step, options.seconds / len(ways), step.prepare)
            row[name] = 1e6 * statistics.median(times) / TorchOptimizerStep.PARAMETERS
        row["halfstep"], row["of_plain_loops"] = halfstep_optimizer_step(options.program,
                                                                         options.threads)
        row["ratio"] = min(row[name] for name in ways) / row["halfstep"]
        rounds.append(row)
    medians = {key: statistics.median(row[key] for row in rounds) for key in rounds[0]}
    print(f"{processor()}, {options.threads} threads, PyTorch {torch.__version__}\n"
          "unscale, clip, AdamW and FP16 weights on 20 M parameters, medians in ns a parameter")
    print(f"{'halfstep':<24}{medians['halfstep']:8.3f}   "
          f"{medians['of_plain_loops']:.2f} of plain loops' rate")
    for name in ways:
        print(f"{'PyTorch, ' + name:<24}{medians[name]:8.3f}")
    print(f"{'ratio to the best':<24}{medians['ratio']:8.2f}")
    return {"medians": medians, "rounds": rounds, "threads": options.threads,
            "processor": processor(), "pytorch_version": torch.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", metavar="DIR", help="make a virtual environment with PyTorch there")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--precisions", default=",".join(MODES))
    parser.add_argument("--modes", help="of PyTorch, those of " + ", ".join(sum(MODES.values(), [])) +
                        "; default: what fits the precision, without fp16_autocast for the GPT")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each program")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--optimizer", action="store_true", help="what follows backward, alone")
    parser.add_argument("--program", help="default: build/bin/training_step or optimizer_pass")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if options.install:
        return install(options.install)
    if options.program is None:
        options.program = f"build/bin/{'optimizer_pass' if options.optimizer else 'training_step'}"
    for given, known, option in ((options.models, MODELS, "--models"),
                                 (options.precisions, list(MODES), "--precisions"),
                                 (options.modes or "fp32", sum(MODES.values(), []), "--modes")):
        for name in given.split(","):
            if name not in known:
                parser.error(f"{option} {name}: choose from {', '.join(known)}")
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds must be at least 1")
    if not pathlib.Path(options.program).exists():
        print(f"compare_pytorch: there is no {options.program}; build it: "
              f"cmake --build build --target {pathlib.Path(options.program).name}", file=sys.stderr)
        return 1
    try:
        import torch
    except ImportError as error:
        print(f"compare_pytorch: {error}; make an environment with --install DIR first", file=sys.stderr)
        return 1
    torch.set_num_threads(options.threads)

    if options.optimizer:
        rows = compare_optimizers(torch, options)
    else:
        rows = compare_steps(torch, options)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
