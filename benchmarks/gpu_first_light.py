"""The first ten minutes on a new kind of GPU: check correctness, then measure speed, then quality.

    python benchmarks/gpu.py [tinyshakespeare.txt] --first-light --out results/gpu.json

Each stage runs in its own process with a time limit, so a crash or a hang loses only its own rows. Prints a line of
JSON per row, and writes the JSON file after each. Warnings and tracebacks on stderr are listed as findings. The last
lines name failed stages, missed targets, and constants to change in `charrnn/training/budget/sizes.py`. The stage
`tests` needs pytest.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import itertools
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gpu_quality import budgets
from gpu_speed import layer, product_rates, sampling, times, training
from machine import machine

from charrnn.config import CELLS, OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training import gpu_trial
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import dtype_of
from charrnn.training.step import CudaGraphStep, take_step

Row = dict[str, Any]
SECONDS = 590.0
"""Time limit for all stages together."""
FINDINGS = ("Warning", "Traceback", "Error")
"""Words that make a line on stderr a finding."""
MAX_FINDINGS = 20
VOCAB_SIZE, LENGTH = 65, 64
SHAPES = tuple(itertools.product((256, 512, 1024), (16, 32, 64, 128)))
"""(hidden size, batch size) of the timed steps."""
TOLERANCE = {"float32": 1e-3, "auto": 3e-2}
"""Maximum relative difference of losses and gradient norms from those of the CPU."""
TARGETS = (
    ("training, LSTM 3x512, characters a second", 5e6),
    ("sampling, one text, LSTM 3x512, characters a second", 1e4),
    ("sampling, 4,096 texts, LSTM 3x512, characters a second", 1e7),
)
"""(figure, target)."""


@dataclass(frozen=True)
class Options:
    """Options of the command line.

    Attributes:
        text: Tiny Shakespeare; None: stages that need a text are skipped.
        device: the GPU.
        quick: use tiny sizes, on any device; the figures mean nothing.
    """

    text: Path | None
    device: torch.device
    quick: bool


@dataclass(frozen=True)
class Stage:
    """A stage of the first ten minutes.

    Attributes:
        seconds: time limit.
        rows: function that yields the rows.
    """

    seconds: float
    rows: Callable[[Options], Iterator[Row]]


def about_machine(options: Options) -> Iterator[Row]:
    """Report versions and the GPU, and run a minimal kernel."""
    yield {**machine(), "kernel": torch.ones(1, device=options.device).add_(1).item()}
    if options.device.type == "cuda":
        listing = subprocess.run(["nvidia-smi"], capture_output=True, text=True, check=False).stdout
        yield {"nvidia-smi": listing.splitlines(), "capability": torch.cuda.get_device_capability(options.device)}


def plain(options: Options) -> Iterator[Row]:
    """Compare losses and gradients of plain steps with those of the CPU in float32."""
    for cell, precision in itertools.product(CELLS, ("float32", "auto")):
        torch.manual_seed(0)
        on_cpu = RecurrentModel(ModelConfig(cell=cell, hidden_size=64), VOCAB_SIZE).train()
        on_device = copy.deepcopy(on_cpu).to(options.device)
        tokens = torch.randint(0, VOCAB_SIZE, (8, 33))
        results = []
        for model, dtype in ((on_cpu, torch.float32), (on_device, _dtype(precision, options))):
            with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
                logits, _ = model(tokens[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten().to(model.device))
            loss.backward()  # type: ignore[no-untyped-call]
            norms = [float(weights.grad.norm()) for weights in model.parameters() if weights.grad is not None]
            results.append([float(loss.detach()), *norms])
        largest = max(abs(a - b) / max(1e-6, abs(a)) for a, b in zip(*results, strict=True))
        passed = largest < TOLERANCE[precision]
        yield {"cell": cell, "precision": precision, "most_difference": largest, "passed": passed}


def recorded(options: Options) -> Iterator[Row]:
    """Compare captured training steps with plain ones."""
    for cell, precision, optimizer in itertools.product(CELLS, ("float32", "auto"), OPTIMIZERS):
        for shape in gpu_trial.SHAPES:
            row = {"cell": cell, "precision": precision, "optimizer": optimizer, "shape": shape}
            started = time.perf_counter()
            try:
                gpu_trial.try_training(cell, optimizer, precision, shape, options.device)
                yield {**row, "passed": True, "seconds": time.perf_counter() - started}
            except Exception as error:
                yield {**row, "passed": False, "error": str(error)}


def sampled(options: Options) -> Iterator[Row]:
    """Compare captured blocks of sampling steps with single steps."""
    for cell in CELLS:
        try:
            gpu_trial.try_sampling(cell, options.device)
            yield {"cell": cell, "passed": True}
        except Exception as error:
            yield {"cell": cell, "passed": False, "error": str(error)}


def broken(options: Options) -> Iterator[Row]:
    """Provoke a failed capture, and check whether the process can continue."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=64, dropout=0.2), VOCAB_SIZE).to(options.device).train()
    graph = torch.cuda.CUDAGraph()
    tokens = torch.zeros(4, 8, dtype=torch.int64, device=options.device)
    try:
        with torch.cuda.graph(graph):
            model(tokens)[0].sum().item()
        yield {"recording": "did not fail"}
    except RuntimeError as error:
        yield {"recording": str(error).splitlines()[0]}
    try:
        model(tokens)[0].sum().backward()
        yield {"afterwards": "a plain step works in the same process"}
    except RuntimeError as error:
        yield {"afterwards": str(error).splitlines()[0]}


def scans(options: Options) -> Iterator[Row]:
    """Compare the Triton kernels with their reference."""
    gpu_trial.try_triton(options.device)
    yield {"passed": True}


def tests(options: Options) -> Iterator[Row]:
    """Run `pytest -m gpu`."""
    words = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "tests/test_gpu.py"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    lines = ran.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    yield {"status": ran.returncode, "said": lines[-1:], "failed": failed}


def commands(options: Options) -> Iterator[Row]:
    """Run commands as a user would: train, stop, resume, sample, score, on the GPU and the CPU."""
    if options.text is None:
        return
    with tempfile.TemporaryDirectory() as place:
        folder, text, device = Path(place), str(options.text.resolve()), ("--device", options.device.type)
        run = partial(command, folder)
        half, few = ("--minutes", "0.5"), ("--steps", "20000")
        if options.quick:
            yield run(["train", text, "--steps", "2", "--hidden", "8", "--out", "a", *device])
            yield run(["sample", "a", "--length", "20", *device])
            return
        yield run(["train", text, *half, "--out", "a", *device])
        yield run(["train", text, *few, "--out", "b", *device], stop_after=12.0)
        yield run(["train", text, *few, "--out", "b", "--resume", *device], stop_after=12.0)
        yield run(["train", text, *few, "--out", "c", "--device", "cpu", "--hidden", "64"], stop_after=8.0)
        yield run(["train", text, *few, "--out", "c", "--resume", *device], stop_after=10.0)
        yield run(["sample", "a", "--length", "2000", "--seed", "1", *device])
        yield run(["score", "a", *device])
        yield run(["score", "a", *device, "--online"], stop_after=15.0)
        yield run(["sample", "a", "--device", "cpu", "--length", "200"])
        yield run(["train", text, "--cell", "mingru", "--minutes", "0.2", "--out", "d", *device])
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
        yield run(["train", text, "--steps", "300", "--out", "e", *device], launch=launch)


def command(folder: Path, words: list[str], stop_after: float | None = None, launch: list[str] | None = None) -> Row:
    """Run a charrnn command; with `stop_after`, interrupt it (Ctrl-C) after that many seconds."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *(launch or []), "-m", "charrnn", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as child:
        try:
            _, stderr = child.communicate(timeout=stop_after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            _, stderr = child.communicate()
    seconds = round(time.perf_counter() - started, 2)
    shown = " ".join(word if Path(word).suffix != ".txt" else Path(word).name for word in words)
    lines = stderr.splitlines()
    return {
        "command": f"charrnn {shown}",
        "stopped_after": stop_after,
        "status": child.returncode,
        "seconds": seconds,
        "findings": [line for line in lines if any(word in line for word in FINDINGS)][:MAX_FINDINGS],
        "last_lines": lines[-4:],
    }


def steps(options: Options) -> Iterator[Row]:
    """Measure plain and captured training steps with the default precision and optimizer."""
    config = TrainingConfig()
    dtype = dtype_of(config, options.device)
    shapes = ((2, 8, 2),) if options.quick else (*((2, *shape) for shape in SHAPES), (3, 512, 128))
    for layers, width, rows in shapes:
        tokens = torch.randint(0, VOCAB_SIZE, (rows, LENGTH + 1))
        row: Row = {"model": f"lstm {layers}x{width}", "layers": layers, "width": width, "rows": rows}
        ways = ("plain", "recorded") if options.device.type == "cuda" else ("plain",)
        taken = {way: _step(way, layers, width, tokens, dtype, config, options) for way in ways}
        for way, seconds in times(taken, options.device, options.quick).items():
            row[f"{way}_ms"] = round(1000 * statistics.median(seconds), 3)
        yield {**row, "chars_per_second": round(1000 * rows * LENGTH / row[f"{ways[-1]}_ms"])}


def _step(
    way: str,
    layers: int,
    width: int,
    tokens: torch.Tensor,
    dtype: torch.dtype,
    config: TrainingConfig,
    options: Options,
) -> Callable[[], object]:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(num_layers=layers, hidden_size=width), VOCAB_SIZE).to(options.device).train()
    optimizer = ModelOptimizer(model, config, dtype)
    graph = CudaGraphStep(optimizer) if way == "recorded" else None
    carried: list[Any] = [None]

    def step() -> None:
        batch = tokens[:, :-1], tokens[:, 1:]
        if graph:
            _, carried[0] = graph(batch, carried[0], 1e-3)
        else:
            _, carried[0] = take_step(optimizer, batch, carried[0], 1e-3)

    return step


def quality(options: Options) -> Iterator[Row]:
    """Train for a quarter of a minute and for two minutes, and measure the time to 1.47 nats."""
    if options.text:
        yield from budgets(options.text, [0.02] if options.quick else [0.25, 2.0], [32], options.device)


def peers(options: Options) -> Iterator[Row]:
    """Compare training steps and layers with PyTorch's layers."""
    rates = product_rates(options.device, options.quick)
    yield from training(options.device, rates, options.quick)
    yield from layer(options.device, rates, options.quick)


def sampling_rows(options: Options) -> Iterator[Row]:
    """Measure sampling 1, 64 and 4,096 texts in a batch."""
    yield from sampling(options.device, options.quick)


STAGES = {
    "machine": Stage(20, about_machine),
    "plain": Stage(40, plain),
    "recorded": Stage(60, recorded),
    "sampled": Stage(30, sampled),
    "broken": Stage(20, broken),
    "scans": Stage(40, scans),
    "tests": Stage(90, tests),
    "commands": Stage(170, commands),
    "steps": Stage(90, steps),
    "quality": Stage(170, quality),
    "sampling": Stage(50, sampling_rows),
    "peers": Stage(90, peers),
}
"""The stages in order of importance; those that no longer fit the time are skipped."""
NEEDS_GPU = ("recorded", "broken", "scans", "tests")


def _dtype(precision: str, options: Options) -> torch.dtype:
    return dtype_of(TrainingConfig(precision=precision), options.device)


def run_stage(name: str, options: Options) -> None:
    """Run a stage in this process, and print its rows as lines of JSON."""
    if options.device.type == "cuda":
        torch.cuda.set_device(options.device)
        torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    for row in STAGES[name].rows(options):
        print(json.dumps(row), flush=True)


def first_light(options: Options, out: Path | None, seconds: float = SECONDS) -> Row:
    """Run all stages in processes of their own; the result is written to `out` after each row."""
    result: Row = {}
    started = time.perf_counter()
    for name, stage in STAGES.items():
        if options.device.type != "cuda" and name in NEEDS_GPU:
            continue
        left = seconds - (time.perf_counter() - started)
        if left < 10:
            print(f"{name}: skipped, because the time is up", flush=True)
            continue
        result[name] = {"rows": []}
        for key, value in _run(name, options, min(stage.seconds, left)):
            if key == "row":
                result[name]["rows"].append(value)
                print(name, json.dumps(value), flush=True)
            else:
                result[name][key] = value
            if out:
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(name, json.dumps({key: value for key, value in result[name].items() if key != "rows"}), flush=True)
    for line in conclusions(result):
        print(line)
    return result


def _run(name: str, options: Options, limit: float) -> Iterator[tuple[str, Any]]:
    """Run a stage in a process; yield its rows as they come, then how it ended, its seconds and its findings."""
    words = [sys.executable, str(Path(__file__).with_name("gpu.py")), "--stage", name, "--device", str(options.device)]
    words += [str(options.text)] if options.text else []
    words += ["--quick"] if options.quick else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rows, errors = Path(folder) / "rows", Path(folder) / "errors"
        with rows.open("w") as stdout, errors.open("w") as stderr:
            child = subprocess.Popen(words, stdout=stdout, stderr=stderr, env=environment, start_new_session=True)
        was_killed = False
        with rows.open() as lines:
            while True:
                has_ended = child.poll() is not None
                for line in lines:
                    with contextlib.suppress(ValueError):
                        yield "row", json.loads(line)
                if has_ended:
                    break
                if time.perf_counter() - started > limit:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
                    was_killed = True
                    yield "ended", f"killed after {limit:.0f} seconds"
                    break
                time.sleep(0.1)
        messages = errors.read_text(errors="replace").splitlines()
    if child.poll() and not was_killed:
        yield "ended", f"status {child.returncode}: {messages[-1] if messages else ''}"
    yield "seconds", round(time.perf_counter() - started, 1)
    yield "findings", [line for line in messages if any(word in line for word in FINDINGS)][:MAX_FINDINGS]


def conclusions(result: Row) -> Iterator[str]:
    """Yield lines on failed stages, on the targets, and on constants to change in sizes.py."""
    for name, stage in result.items():
        bad = [row for row in stage["rows"] if row.get("passed") is False or row.get("status", 0) not in (0, 130)]
        if bad or stage.get("ended") or stage.get("findings"):
            ended = stage.get("ended", "completed")
            yield f"check stage {name}: {len(bad)} failed; {ended}; findings: {stage.get('findings')}"
    timed = result.get("steps", {}).get("rows", [])
    by_shape = {(row["layers"], row["width"], row["rows"]): row for row in timed}
    reached = [by_shape.get((3, 512, 128), {}).get("chars_per_second")]
    for texts in (1, 4096):
        rows = [row for row in result.get("sampling", {}).get("rows", []) if row.get("texts") == texts]
        reached.append(max((row["chars_per_second"] for row in rows), default=None))
    for (what, target), value in zip(TARGETS, reached, strict=True):
        if value:
            yield f"{what}: {value:,.0f} (target {target:,.0f}{'' if value >= target else ', MISSED'})"
    for row in result.get("quality", {}).get("rows", []):
        after = row["training_seconds_to_target"]
        when = f"after {after} seconds of training" if after else "not reached"
        yield f"{row['minutes']} minutes: {row['nats_per_char']} nats per character; target {row['target']} {when}"
    yield from recipe_advice(timed)


def recipe_advice(timed: list[Row]) -> Iterator[str]:
    """Yield advice on constants in budget/sizes.py, from the milliseconds of steps."""
    two_layers = [row for row in timed if row["layers"] == 2]
    ms = {
        (row["width"], row["rows"]): float(row["recorded_ms" if "recorded_ms" in row else "plain_ms"])
        for row in two_layers
    }
    for width in sorted({width for width, _ in ms}):
        if (width, 32) in ms and (width, 128) in ms:
            ratio = ms[width, 128] / ms[width, 32]
            yield (
                f"hidden size {width}: a step with batch size 128 takes {ratio:.2f} times as long as with 32; "
                "if below 2, lower GPU_STREAM_CHARACTERS"
            )
    for narrow, wide in itertools.pairwise(sorted(width for width, rows in ms if rows == 32)):
        exponent = math.log(ms[wide, 32] / ms[narrow, 32]) / math.log(wide / narrow)
        yield (
            f"hidden size {narrow} to {wide}: the time of a step grows with power {exponent:.2f} of the hidden size "
            "(its weights with power 2); if below 1, raise the minimum of GPU_WIDTHS"
        )


def stage_options(arguments: argparse.Namespace) -> Options:
    """Return the options of the stages from the arguments of gpu.py."""
    return Options(arguments.text, torch.device(arguments.device), arguments.quick)
