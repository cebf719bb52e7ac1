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

    def test_times_on_a_gpu_come_from_groups_between_events(self):
        torch = mock.MagicMock()
        torch.cuda.Event.return_value.elapsed_time.return_value = 12.0
        calls = []
        times = compare_pytorch.device_times(torch, lambda: calls.append(1), 0.0)
        # Three calls take 12 ms, so 4 ms each; a group of 20 ms has five.
        self.assertEqual(times, [12.0 / 5] * 3)
        self.assertEqual(len(calls), 3 + 3 + 3 * 5)


def run(*command, **environment):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})


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
            nvidia_smi = pathlib.Path(folder) / "nvidia-smi"
            nvidia_smi.write_text("#!/bin/sh\nexit 9\n")
            nvidia_smi.chmod(0o755)
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
