"""What the benchmarks' scripts do where neither a GPU nor PyTorch is: they refuse in one line, choose
what to compare, and reckon ratios."""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("compare_pytorch",
                                              ROOT / "benchmarks" / "compare_pytorch.py")
compare_pytorch = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(compare_pytorch)


def options_of(*given):
    return compare_pytorch.arguments(list(given))


def refusal(*given):
    """What the command line is answered with; it must be refused."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        try:
            options_of(*given)
        except SystemExit as end:
            assert end.code == 2, end.code
            return error.getvalue()
    raise AssertionError(f"{given} was taken")


class FakeStep:
    """A way of PyTorch's that takes no time; `broken` ones throw when they are made."""

    broken = ()

    def __init__(self, torch, model, way, device):
        if str(way) in self.broken:
            raise RuntimeError(f"{way}\nhas no kernel")

    def __call__(self):
        pass


def ours(model, precision, options):
    return {"median_ms": 2.0, "limit_ms": 1.0, "activation_bytes": 1 << 20, "model_tflops": 3.0}


class Arguments(unittest.TestCase):

    def test_a_cpu_runs_eagerly_and_a_gpu_in_all_of_compiles_modes(self):
        self.assertEqual(options_of().executors, "eager")
        self.assertEqual(options_of("--compile").executors, "compile")
        self.assertEqual(options_of("--device", "cuda").executors.split(","),
                         compare_pytorch.EXECUTORS)

    def test_only_a_gpu_has_tf32_and_products(self):
        self.assertNotIn("tf32", options_of().precisions)
        self.assertIn("tf32", options_of("--device", "cuda").precisions)
        self.assertIn("products", options_of("--device", "cuda").models)
        self.assertIn("--device cuda", refusal("--precisions", "tf32"))
        self.assertIn("--device cuda", refusal("--models", "products"))

    def test_unknown_names_are_refused_with_the_known_ones(self):
        self.assertIn("gpt2", refusal("--models", "resnet"))
        self.assertIn("bf16_autocast", refusal("--modes", "fp8"))
        self.assertIn("max-autotune", refusal("--executors", "jit"))
        self.assertIn("gpu_optimizer", refusal("--device", "cuda", "--optimizer"))
        refusal("--rounds", "0")

    def test_a_way_names_its_mode_layout_and_executor(self):
        ways = compare_pytorch.ways_of("cnn", "mixed_fp16", "cuda", None, ["eager", "max-autotune"])
        self.assertEqual([str(way) for way in ways],
                         ["fp16_autocast", "fp16_autocast channels_last",
                          "fp16_autocast max-autotune", "fp16_autocast channels_last max-autotune"])

    def test_a_gpt_in_fp16_on_a_cpu_stands_beside_fp32(self):
        ways = compare_pytorch.ways_of("gpt", "mixed_fp16", "cpu", None, ["eager"])
        self.assertEqual([str(way) for way in ways], ["fp32"])
        ways = compare_pytorch.ways_of("gpt", "mixed_fp16", "cuda", None, ["eager"])
        self.assertEqual([str(way) for way in ways], ["fp16_autocast"])


class Comparison(unittest.TestCase):

    def compare(self, *given, broken=()):
        options = options_of("--rounds", "3", "--seconds", "0.001", *given)
        options.processor, options.pytorch_version, options.done = "a processor", "0", []
        fake_torch = mock.MagicMock()
        text = io.StringIO()
        with mock.patch.object(compare_pytorch, "TorchStep", FakeStep), \
             mock.patch.object(FakeStep, "broken", broken), \
             mock.patch.object(compare_pytorch, "halfstep_step", ours), \
             mock.patch.object(compare_pytorch, "torch_steps", lambda step, seconds: [6.0]), \
             mock.patch.object(compare_pytorch, "device_times", lambda *_: [5.0]), \
             contextlib.redirect_stdout(text):
            rows = compare_pytorch.compare_steps(fake_torch, ["mlp"], options)
        return rows, text.getvalue()

    def test_a_ratio_is_theirs_over_ours(self):
        rows, text = self.compare("--precisions", "mixed_bf16")
        self.assertEqual([row["pytorch"] for row in rows], ["bf16_autocast", "all_bf16"])
        self.assertEqual([row["ratio"] for row in rows], [3.0, 3.0])
        self.assertEqual(rows[0]["limit_ms"], 1.0)
        self.assertIn("bf16_autocast", text)

    def test_a_way_that_fails_on_a_gpu_is_told_and_the_others_go_on(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "rows.json"
            rows, text = self.compare("--device", "cuda", "--precisions", "fp32", "--executors",
                                      "compile,eager", "--json", str(file), broken=("fp32 compile",))
            self.assertEqual(json.loads(file.read_text()), rows)
        self.assertEqual(rows[0]["error"], "fp32 compile")
        self.assertEqual(rows[1]["ratio"], 2.5)
        self.assertIn("failed", text)

    def test_products_are_compared_by_rate(self):
        options = options_of("--device", "cuda", "--precisions", "mixed_bf16,tf32", "--executors",
                             "eager", "--rounds", "2")
        options.processor, options.pytorch_version, options.done = "a GPU", "0", []

        class Product:

            def __init__(self, torch, size, precision, multiply):
                self.calls = 4

        with mock.patch.object(compare_pytorch, "TorchProduct", Product), \
             mock.patch.object(compare_pytorch, "SIZES", [1000]), \
             mock.patch.object(compare_pytorch, "device_times", lambda *_: [8.0]), \
             mock.patch.object(compare_pytorch, "halfstep_products", lambda *_: {1000: 2.0}), \
             contextlib.redirect_stdout(io.StringIO()):
            rows = compare_pytorch.compare_products(mock.MagicMock(), options)
        self.assertEqual([row["precision"] for row in rows], ["bf16", "tf32"])
        # Four products of 2 GFLOP in 8 ms.
        self.assertAlmostEqual(rows[0]["pytorch_tflops"], 1.0)
        self.assertAlmostEqual(rows[0]["ratio"], 2.0)

    def test_times_on_a_gpu_come_from_groups_between_events(self):
        torch = mock.MagicMock()
        torch.cuda.Event.return_value.elapsed_time.return_value = 12.0
        calls = []
        times = compare_pytorch.device_times(torch, lambda: calls.append(1), 0.0)
        # Three calls take 12 ms, so 4 ms each; a group of 20 ms has five.
        self.assertEqual(times, [12.0 / 5] * 3)
        self.assertEqual(len(calls), 3 + 3 + 3 * 5)


def run(*command, **environment):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600,
                          env={**os.environ, **environment})


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/bash\n" + text)
    path.chmod(0o755)


class GpuMachine(unittest.TestCase):
    """The GPU's script among stand-ins of all that it calls."""

    STEP = """while [ $# -gt 0 ]; do
  case $1 in --model) model=$2 ;; --precision) precision=$2 ;; esac
  shift
done
[ $model = cnn ] && exit 3
printf '{"model":"%s","precision":"%s","median_ms":1.5,"gemm_ms":1.25,"limit_ms":1.375,' $model $precision
echo '"model_tflops":7.5}'
"""
    TABLE = """while [ "$1" != --json ]; do shift; done
echo '{"program":"'$(basename $0)'"}' >$2
echo table of $(basename $0)
"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.programs = self.root / "programs"
        script = self.root / "benchmarks" / "gpu" / "run.sh"
        script.parent.mkdir(parents=True)
        script.write_text((ROOT / "benchmarks" / "gpu" / "run.sh").read_text())
        build = self.root / "build" / "gpu"
        self.write("nvidia-smi", "echo 'A \"great\" GPU, 1.2'")
        self.write("nvcc", "echo 'Cuda compilation tools, release 13.0, V13.0'")
        self.write("cmake", 'echo "$@"; echo "-- halfstep: backend cuda for sm_90"')
        self.write("ctest", 'echo "tested $@"')
        self.write("compute-sanitizer", "[ $2 != racecheck ] || exit 124")
        self.write("python3", "exit 1")
        write_program(build / "bin" / "training_step", self.STEP)
        for name in ("products", "optimizer", "deepbench"):
            write_program(build / "bin" / f"gpu_{name}", self.TABLE)
        write_program(build / "tests" / "backend_cuda_kernels_test", "true")

    def write(self, name, text):
        write_program(self.programs / name, text)

    def run_script(self, *given):
        result = subprocess.run(["bash", "benchmarks/gpu/run.sh", "--out", "results", "--minutes",
                                 "60", *given],
                                cwd=self.root, capture_output=True, text=True, timeout=600,
                                env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"})
        results = self.root / "results"
        summary = None
        if (results / "summary.json").exists():
            summary = json.loads((results / "summary.json").read_text())
        return result, summary

    def test_what_fails_is_reported_and_the_rest_is_measured(self):
        result, summary = self.run_script()
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(summary["gpu"], 'A "great" GPU, 1.2')
        self.assertEqual(summary["cuda"], "13.0")
        status = {part["part"]: part["status"] for part in summary["parts"]}
        self.assertEqual(status["tests"], "passed")
        self.assertEqual(status["step of cnn in fp32"], "failed")
        self.assertEqual(status["racecheck"], "timed out")
        self.assertEqual(status["synccheck"], "passed")
        self.assertIn("skipped", status["PyTorch"])
        steps = [line for line in summary["results"] if "model" in line]
        self.assertEqual(len(steps), 10)
        self.assertEqual(steps[0]["model_tflops"], 7.5)
        self.assertEqual([line["program"] for line in summary["results"] if "program" in line],
                         ["gpu_products", "gpu_optimizer", "gpu_deepbench"])
        text = (self.root / "results" / "summary.txt").read_text()
        self.assertIn("table of gpu_deepbench", text)
        self.assertIn("7.5 TFLOP/s", text)
        self.assertEqual(sorted(path.name for path in (self.root / "results").iterdir()),
                         ["log.txt", "summary.json", "summary.txt"])

    def test_pytorchs_rows_stand_in_the_summary(self):
        self.write("python3", """[ $1 = -c ] && exit 0
while [ $# -gt 0 ]; do case $1 in --json) echo '[{"ratio": 2.0}]' >$2 ;; esac; shift; done
echo PyTorch beside us""")
        self.write("compute-sanitizer", "true")
        result, summary = self.run_script()
        self.assertEqual(summary["pytorch"], 5 * [[{"ratio": 2.0}]], result.stderr)
        self.assertIn("PyTorch beside us", (self.root / "results" / "summary.txt").read_text())

    def test_without_nvcc_the_reason_is_told(self):
        self.write("cmake", "echo '-- halfstep: without backend cuda: nvcc was not found'")
        result, summary = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertIn("nvcc was not found", result.stderr)
        self.assertIsNone(summary)

    def test_a_build_alone_needs_no_gpu(self):
        self.write("nvidia-smi", "exit 9")
        result, summary = self.run_script("--build-only")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("build", result.stdout)
        self.assertIsNone(summary)


class Programs(unittest.TestCase):

    def test_without_pytorch_or_a_gpu_the_comparison_is_refused_in_a_line(self):
        with tempfile.TemporaryDirectory() as folder:
            torch = pathlib.Path(folder) / "torch.py"
            command = [sys.executable, "-B", "benchmarks/compare_pytorch.py", "--device", "cuda",
                       "--program", sys.executable]
            for text, sentence in (("raise ImportError('no torch')", "--install"),
                                   ("class cuda:\n  is_available = staticmethod(lambda: False)",
                                    "no NVIDIA GPU")):
                torch.write_text(text)
                result = run(*command, PYTHONPATH=folder)
                self.assertEqual(result.returncode, 1)
                self.assertIn(sentence, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)

    def test_without_a_gpu_the_gpus_script_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            write_program(pathlib.Path(folder) / "nvidia-smi", "exit 9")
            result = run("bash", "benchmarks/gpu/run.sh", PATH=f"{folder}:{os.environ['PATH']}")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no NVIDIA GPU", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_a_wrong_command_line_is_answered_with_the_usage(self):
        for command in (("benchmarks/gpu/run.sh", "--minutes", "none"),
                        ("benchmarks/gpu/run.sh", "--gpu"),
                        ("cmake/fetch-offline-dependencies.sh",),
                        ("cmake/fetch-offline-dependencies.sh", "--help")):
            result = run("bash", *command)
            self.assertEqual(result.returncode, 2, command)
            self.assertIn("bash " + command[0], result.stderr)

    def test_a_folder_that_holds_no_dependencies_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run("bash", "benchmarks/gpu/run.sh", "--dependencies", folder)
        self.assertEqual(result.returncode, 1)
        self.assertIn(folder, result.stderr)


if __name__ == "__main__":
    unittest.main()
