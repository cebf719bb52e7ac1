#!/usr/bin/env python3
"""Training steps of PyTorch beside build/bin/training_step's, by turns, on the same processor.

  python3 benchmarks/compare_pytorch.py --install DIR     makes a virtual environment with PyTorch
  DIR/bin/python benchmarks/compare_pytorch.py [--models mlp,mlp_wide,cnn,gpt] [--threads 2]
                                                [--json FILE]
  DIR/bin/python benchmarks/compare_pytorch.py --device cuda [--models mlp,gpt2,products]
  DIR/bin/python benchmarks/compare_pytorch.py --optimizer [--threads 2] [--json FILE]

PyTorch trains the same networks on random data with its fused AdamW: in FP32, under BF16 autocast,
with everything in BF16, and under FP16 autocast with GradScaler. The CNN is tried in both of
PyTorch's memory formats, channels first and channels last. A ratio above 1 says that halfstep is
that much faster. PyTorch's FP16 takes half a minute for a step of the GPT on a CPU: there it runs
only where --modes asks for it, and our FP16 stands beside PyTorch's FP32.

With --device cuda both run on the GPU: PyTorch eagerly and through torch.compile in each of its
modes, one after the other, each beside our program by turns. The model gpt2 has 124 M parameters.
"products" are square matrix products, replayed as CUDA graphs on both sides, beside
build/bin/gpu_products.

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

MODELS = ["mlp", "mlp_wide", "cnn", "gpt", "gpt2", "products"]
DEFAULT_MODELS = {"cpu": "mlp,mlp_wide,cnn,gpt", "cuda": "products,mlp,mlp_wide,cnn,gpt,gpt2"}
# What PyTorch's users have for each of our precisions.
MODES = {
    "fp32": ["fp32"],
    "tf32": ["tf32"],
    "mixed_bf16": ["bf16_autocast", "all_bf16"],
    "mixed_fp16": ["fp16_autocast"],
}
# How PyTorch runs a network: as it is written, or through torch.compile in one of its modes.
EXECUTORS = ["eager", "compile", "reduce-overhead", "max-autotune"]
SIZES = [512, 1024, 2048, 4096, 8192]


class Way:
    """One way to train a model in PyTorch: a mode, and for the CNN a memory format."""

    def __init__(self, mode, layout="", executor="eager"):
        self.mode, self.layout, self.executor = mode, layout, executor

    def __str__(self):
        executor = "" if self.executor == "eager" else self.executor
        return " ".join(word for word in (self.mode, self.layout, executor) if word)


def ways_of(model, precision, device, allowed, executors):
    """The ways that are tried beside one of our precisions."""
    modes = MODES[precision]
    if allowed:
        modes = [mode for mode in modes + MODES["fp32"] if mode in allowed]
    elif device == "cpu" and model.startswith("gpt") and precision == "mixed_fp16":
        modes = MODES["fp32"]
    layouts = ["", "channels_last"] if model == "cnn" else [""]
    return [Way(mode, layout, executor) for executor in executors
            for mode in dict.fromkeys(modes) for layout in layouts]


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


def gpt(torch, vocabulary, layers, heads, width, context, tied=False):
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
            if tied:
                nn.init.normal_(self.token.weight, std=0.02)
                self.head.weight = self.token.weight
            self.register_buffer("positions", torch.arange(context))

        def forward(self, tokens):
            x = self.blocks(self.token(tokens) + self.position(self.positions))
            return self.head(self.ln(x)).flatten(0, 1)

    return Gpt()


def training_case(torch, model):
    """The network of training_step's model, and a batch of random data."""
    if model == "gpt2":
        tokens = torch.randint(0, 50304, (2, 32, 1024))
        return gpt(torch, 50304, 12, 12, 768, 1024, True), tokens[0], tokens[1].flatten()
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

    def __init__(self, torch, model, way, device):
        torch.manual_seed(1)
        self.torch, self.device, self.way = torch, device, way
        net, x, y = training_case(torch, model)
        if way.layout:
            net.to(memory_format=torch.channels_last)
            x = x.to(memory_format=torch.channels_last)
        if way.mode == "all_bf16":
            net.to(torch.bfloat16)
            if x.is_floating_point():
                x = x.to(torch.bfloat16)
        self.net, self.x, self.y = net.to(device), x.to(device), y.to(device)

        def loss(x, y):
            return torch.nn.functional.cross_entropy(net(x).float(), y)

        self.loss = loss
        if way.executor != "eager":
            mode = None if way.executor == "compile" else way.executor
            self.loss = torch.compile(loss, mode=mode)
        # As slow as training_step's, whose comment says why.
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-6, fused=True)
        self.autocast = {"bf16_autocast": torch.bfloat16,
                         "fp16_autocast": torch.float16}.get(way.mode)
        self.scaler = torch.amp.GradScaler(device) if way.mode == "fp16_autocast" else None

    def __call__(self):
        torch = self.torch
        enabled = self.autocast is not None
        if self.device == "cuda":
            allow_tf32(torch, self.way.mode == "tf32")
            if self.way.executor != "eager":
                torch.compiler.cudagraph_mark_step_begin()
        with torch.autocast(self.device, dtype=self.autocast or torch.bfloat16, enabled=enabled):
            loss = self.loss(self.x, self.y)
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


def allow_tf32(torch, allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def torch_steps(step, seconds, prepare=lambda: None):
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        prepare()
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def device_times(torch, call, seconds, group_seconds=0.02):
    """Milliseconds of a call on the GPU, by events around groups of calls: no call is waited for."""

    def group(calls):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    group(3)
    calls = max(1, min(2000, round(1e3 * group_seconds / max(group(3), 1e-3))))
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        times.append(group(calls))
    return times


def output_of(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())
    return result.stdout


def halfstep_step(model, precision, options):
    command = [options.program, "--model", model, "--precision", precision, "--threads",
               str(options.threads), "--seconds", str(options.seconds), "--json"]
    if options.device == "cuda":
        command += ["--backend", "cuda"]
    return json.loads(output_of(command))


def measured_beside(torch, model, precision, ways, options):
    """Rounds of (ours, {way: milliseconds of theirs}); a ratio is of neighbours in time, for the
    machine's rate moves meanwhile."""
    steps = {}
    for way in ways:
        step = TorchStep(torch, model, way, options.device)
        # The first call compiles; graphs are recorded by the second and third.
        for _ in range(1 if options.device == "cpu" else 5):
            step()
        steps[str(way)] = step
    rounds = []
    for _ in range(options.rounds):
        theirs = {way: statistics.median(device_times(torch, step, options.seconds)
                                         if options.device == "cuda" else
                                         torch_steps(step, options.seconds))
                  for way, step in steps.items()}
        rounds.append((halfstep_step(model, precision, options), theirs))
    return rounds


def step_row(model, precision, way, rounds, options):
    ratios = [theirs[way] / ours["median_ms"] for ours, theirs in rounds]
    limits = [ours["limit_ms"] for ours, _ in rounds if ours["limit_ms"]]
    first = rounds[0][0]
    return {"model": model, "precision": precision, "pytorch": way,
            "halfstep_ms": statistics.median(ours["median_ms"] for ours, _ in rounds),
            "activation_bytes": first["activation_bytes"],
            "pytorch_ms": statistics.median(theirs[way] for _, theirs in rounds),
            "limit_ms": statistics.median(limits) if limits else None,
            "model_tflops": first.get("model_tflops"),
            "ratio": statistics.median(ratios), "ratios": ratios, "device": options.device,
            "threads": options.threads, "processor": options.processor,
            "pytorch_version": options.pytorch_version}


def print_step_row(row):
    limit = f"{row['limit_ms']:9.2f}" if row["limit_ms"] else f"{'-':>9}"
    print(f"{row['model']:10}{row['precision']:>12}{row['halfstep_ms']:9.3f}{limit}"
          f"{row['activation_bytes'] / 2**20:8.1f}MiB   {row['pytorch']:<38}{row['pytorch_ms']:9.3f}"
          f"{row['ratio']:7.2f}  ({min(row['ratios']):.2f}, {max(row['ratios']):.2f})", flush=True)


def compare_steps(torch, models, options):
    print(f"PyTorch {options.pytorch_version} on {options.processor}, {options.threads} threads, "
          "medians in ms; ratios are medians of rounds")
    print(f"{'model':10}{'halfstep':>12}{'ms':>9}{'limit':>9}{'kept':>11}   {'PyTorch':<38}{'ms':>9}"
          f"{'ratio':>7}  (least, most)")
    rows = []
    for model in models:
        for precision in options.precisions.split(","):
            ways = ways_of(model, precision, options.device,
                           options.modes and options.modes.split(","), options.executors.split(","))
            # A GPU's memory does not hold them all beside each other.
            groups = [[way] for way in ways] if options.device == "cuda" else [ways]
            for group in filter(None, groups):
                try:
                    rounds = measured_beside(torch, model, precision, group, options)
                except Exception as error:  # one way that PyTorch cannot go must not end the others
                    if options.device == "cpu":
                        raise
                    reason = str(error).strip().splitlines() or [type(error).__name__]
                    print(f"{model:10}{precision:>12}   {group[0]}: failed: {reason[0]}", flush=True)
                    rows.append({"model": model, "precision": precision, "pytorch": str(group[0]),
                                 "device": options.device, "error": reason[0]})
                    rounds = None
                for way in group if rounds else []:
                    rows.append(step_row(model, precision, str(way), rounds, options))
                    print_step_row(rows[-1])
                if options.device == "cuda":
                    torch.cuda.empty_cache()
                write_rows(rows, options)
    return rows


class TorchProduct:
    """A square product, replayed as a graph over sets of operands that outgrow the cache."""

    def __init__(self, torch, size, precision, multiply):
        dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision, torch.float32)
        allow_tf32(torch, precision == "tf32")
        cache = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 64 << 20)
        count = max(1, min(64, -(-2 * cache // (3 * size * size * dtype.itemsize))))
        sets = [[torch.randn(size, size, device="cuda").to(dtype) for _ in range(3)]
                for _ in range(count)]
        self.repeats = -(-max(1, round(2e12 / (2.0 * size**3))) // count)
        self.calls = self.repeats * count

        def run():
            for _ in range(self.repeats):
                for a, b, c in sets:
                    multiply(a, b, c)

        # Before it is recorded it runs on another stream, as PyTorch asks.
        torch.cuda.synchronize()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            run()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            run()

    def __call__(self):
        self.graph.replay()


def multipliers(torch, executors):
    """Ways to multiply: mm as it is, and what torch.compile searches out."""

    def mm(a, b, out):
        torch.mm(a, b, out=out)

    ways = {"mm": mm}
    if "max-autotune" in executors:
        searched = torch.compile(lambda a, b: a @ b, mode="max-autotune-no-cudagraphs")
        ways["max-autotune"] = lambda a, b, out: searched(a, b)
    return ways


def halfstep_products(precision, options):
    """TFLOP/s by size."""
    program = str(pathlib.Path(options.program).with_name("gpu_products"))
    lines = output_of([program, "--sizes", ",".join(map(str, SIZES)), "--precisions", precision,
                       "--seconds", "0.2", "--json", "-"])
    return {line["size"]: line["tflops"] for line in map(json.loads, lines.splitlines())}


def compare_products(torch, options):
    print(f"PyTorch {options.pytorch_version} on {options.processor}: square products, TFLOP/s; "
          "ratios are medians of rounds")
    print(f"{'size':>6}{'precision':>11}{'halfstep':>10}   {'PyTorch':<14}{'':>8}{'ratio':>7}")
    rows = []
    for precision in (name.removeprefix("mixed_") for name in options.precisions.split(",")):
        products = {}
        for name, multiply in multipliers(torch, options.executors.split(",")).items():
            for size in SIZES:
                try:
                    products[size, name] = TorchProduct(torch, size, precision, multiply)
                except Exception as error:  # one that PyTorch cannot do must not end the others
                    print(f"{size:6}{precision:>11}   {name}: failed: {error}", flush=True)
        rounds = []
        for _ in range(options.rounds):
            theirs = {}
            for (size, name), product in products.items():
                seconds = 1e-3 * statistics.median(device_times(torch, product, 0.2))
                theirs[size, name] = 2e-12 * size**3 * product.calls / seconds
            rounds.append((halfstep_products(precision, options), theirs))
        for size, name in sorted(products):
            ratios = [ours[size] / theirs[size, name] for ours, theirs in rounds]
            row = {"model": "products", "size": size, "precision": precision, "pytorch": name,
                   "halfstep_tflops": statistics.median(ours[size] for ours, _ in rounds),
                   "pytorch_tflops": statistics.median(theirs[size, name] for _, theirs in rounds),
                   "ratio": statistics.median(ratios), "ratios": ratios, "device": "cuda",
                   "processor": options.processor, "pytorch_version": options.pytorch_version}
            rows.append(row)
            print(f"{size:6}{precision:>11}{row['halfstep_tflops']:10.1f}   {name:<14}"
                  f"{row['pytorch_tflops']:8.1f}{row['ratio']:7.3f}", flush=True)
        write_rows(rows, options)
    return rows


def write_rows(rows, options):
    """What is known so far: a run that is stopped has not measured in vain."""
    if options.json:
        file = pathlib.Path(options.json)
        whole = file.with_name(file.name + ".part")
        whole.write_text(json.dumps(options.done + rows, indent=1) + "\n")
        whole.replace(file)


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


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", metavar="DIR", help="make a virtual environment with PyTorch there")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--models", help="of " + ", ".join(MODELS) + "; default: " +
                        "; ".join(f"{models} on {device}" for device, models in DEFAULT_MODELS.items()))
    parser.add_argument("--precisions", help="of " + ", ".join(MODES) + "; default: all that the "
                        "device has")
    parser.add_argument("--modes", help="of PyTorch, those of " + ", ".join(sum(MODES.values(), [])) +
                        "; default: what fits the precision, without fp16_autocast for a GPT on a CPU")
    parser.add_argument("--executors", help="of " + ", ".join(EXECUTORS) + ", the last three being "
                        "torch.compile's modes; default: eager on a CPU, all on a GPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each program")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--compile", action="store_true", help="the same as --executors compile")
    parser.add_argument("--optimizer", action="store_true", help="what follows backward, alone, on a CPU")
    parser.add_argument("--program", help="default: build/bin/training_step or optimizer_pass")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(given)
    on_gpu = options.device == "cuda"
    if options.optimizer and on_gpu:
        parser.error("--optimizer runs on a CPU; on a GPU build/bin/gpu_optimizer measures it")
    if options.models is None:
        options.models = DEFAULT_MODELS[options.device]
    if options.precisions is None:
        options.precisions = ",".join(name for name in MODES if on_gpu or name != "tf32")
    if options.executors is None:
        options.executors = "compile" if options.compile else ",".join(EXECUTORS if on_gpu else ["eager"])
    if options.program is None:
        options.program = f"build/bin/{'optimizer_pass' if options.optimizer else 'training_step'}"
    for given, known, option in ((options.models, MODELS, "--models"),
                                 (options.precisions, list(MODES), "--precisions"),
                                 (options.modes or "fp32", sum(MODES.values(), []), "--modes"),
                                 (options.executors, EXECUTORS, "--executors")):
        for name in given.split(","):
            if name not in known:
                parser.error(f"{option} {name}: choose from {', '.join(known)}")
    if not on_gpu and "products" in options.models.split(","):
        parser.error("--models products: they are measured on a GPU, with --device cuda")
    if not on_gpu and "tf32" in options.precisions.split(","):
        parser.error("--precisions tf32: a CPU has none; choose --device cuda")
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds must be at least 1")
    return options


def complain(text):
    print(f"compare_pytorch: {text}", file=sys.stderr)
    return 1


def main():
    options = arguments()
    if options.install:
        return install(options.install)
    if not pathlib.Path(options.program).exists():
        return complain(f"there is no {options.program}; build it: cmake --build build --target "
                        f"{pathlib.Path(options.program).name}")
    try:
        import torch
    except ImportError as error:
        return complain(f"{error}; make an environment with --install DIR first")
    if options.device == "cuda" and not torch.cuda.is_available():
        return complain("--device cuda: this PyTorch sees no NVIDIA GPU; choose --device cpu")
    torch.set_num_threads(options.threads)
    options.processor = torch.cuda.get_device_name() if options.device == "cuda" else processor()
    options.pytorch_version = torch.__version__
    options.done = []
    if options.optimizer:
        if options.json:
            pathlib.Path(options.json).write_text(
                json.dumps(compare_optimizers(torch, options), indent=1) + "\n")
        else:
            compare_optimizers(torch, options)
        return 0
    models = options.models.split(",")
    if "products" in models:
        options.done = compare_products(torch, options)
    models = [model for model in models if model != "products"]
    if models:
        compare_steps(torch, models, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
