"""On a CUDA device: the same numbers as on the CPU, and the same program. Run by hand with `pytest -m gpu`.

Not run on one yet, see docs/guides/gpu.md. As everywhere, a warning fails a test.
"""

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from program import Charrnn

from charrnn.config import CELLS, OPTIMIZERS, ModelConfig, SamplingConfig, TrainingConfig
from charrnn.models.hardware import gpu_features
from charrnn.models.hardware.gpu_features import is_allowed
from charrnn.models.kernels.scan import _triton, gated_scan, scan
from charrnn.models.rnn import cuda_graph as recorded
from charrnn.models.rnn.cuda_graph import CudaGraphStepper
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import PlainStepper, make_stepper
from charrnn.sampling.generate import generate
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Training, train
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.step import CudaGraphStep, StopFlag, take_step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("cell", CELLS)
def test_gpu_logits_states_and_gradients_match_the_cpu(cell: str) -> None:
    torch.manual_seed(0)
    here = RecurrentModel(ModelConfig(cell=cell, hidden_size=64), 50)
    there = copy.deepcopy(here).to("cuda")
    tokens = torch.randint(0, 50, (4, 30))
    results = []
    for model in (here, there):
        logits, state = model(tokens)
        (logits * torch.arange(50, device=logits.device).cos()).sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        results.append([part.cpu() for part in (logits, *state, *gradients) if part is not None])
    for found, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_gpu_network_trains_scores_and_samples(cell: str, small_corpus: Corpus) -> None:
    config = TrainingConfig(steps=60, seq_length=16, batch_size=8, learning_rate=1e-2, warmup_steps=10)
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=32), len(small_corpus.vocabulary)).to("cuda")
    *_, last = train(model, Streams(small_corpus.train.ids, 8, 16), small_corpus.validation, config)
    assert last.score is not None
    assert last.score.bits_per_char < 3.6
    on_cpu = evaluate(copy.deepcopy(model).to("cpu"), small_corpus.validation)
    assert last.score.bits_per_char == pytest.approx(on_cpu.bits_per_char, abs=1e-3)
    text = "".join(generate(model, small_corpus.vocabulary, SamplingConfig(length=100, seed=0), "to "))
    assert len(text) == 100


@pytest.mark.parametrize("cell", CELLS)
def test_cuda_graph_stepper_samples_match_single_steps(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "STEPS_BEFORE_CAPTURE", 16)
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=64), 50).to("cuda").eval()
    ours, plain = make_stepper(model, None, 3), PlainStepper(model, None)
    assert isinstance(ours, CudaGraphStepper)
    draws = [CounterTemperatureSampler(0.8, CounterRNG([1, 2, 3])) for _ in range(2)]
    tokens = np.arange(3)
    for number in range(100):
        found, expected = (one.draw_next(tokens, draw) for one, draw in zip((ours, plain), draws, strict=True))
        assert np.array_equal(found, expected)
        if number % 30 == 0:
            np.testing.assert_allclose(ours.read(found), plain.read(found), atol=1e-4)
        for part, want in zip(ours.state or (), plain.state or (), strict=True):
            torch.testing.assert_close(part, want, atol=1e-4, rtol=1e-4)
        tokens = found


@pytest.mark.parametrize("shape", [(2, 1000, 77), (1, 1, 33), (3, 128, 256)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gpu_scans_match_the_cpu(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    pytest.importorskip("triton")
    assert _triton(torch.device("cuda", 0)), "the kernels do not run here"
    rows, length, width = shape
    torch.manual_seed(0)
    keep, add, h0 = torch.rand(shape), torch.randn(shape), torch.randn(rows, width)
    gates, weights = torch.randn(rows, length, 2 * width).to(dtype), torch.randn(shape)
    results = []
    for device in ("cuda", "cpu"):
        inputs = [part.to(device).requires_grad_() for part in (keep, add, h0, gates)]
        h = scan(*inputs[:3]), gated_scan(inputs[3], inputs[2])
        gradients = torch.autograd.grad((sum(h) * weights.to(device)).sum(), inputs)
        results.append([part.cpu() for part in (*h, *gradients)])
    for found, expected in zip(*results, strict=True):
        tolerance = 1e-2 if found.dtype.itemsize == 2 else 1e-4
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("cell", CELLS)
def test_gpu_precisions_keep_states_in_float32(cell: str) -> None:
    """Half precision stays inside; whatever is asked for, states and logits are float32."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=128), 50).to("cuda")
    tokens = torch.randint(0, 50, (8, 30))
    expected, _ = model(tokens)
    for dtype in (torch.float16, torch.bfloat16):
        with torch.autocast("cuda", dtype):
            logits, state = model(tokens)
        assert {part.dtype for part in (logits, *state)} == {torch.float32}
        torch.testing.assert_close(logits, expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_cuda_graph_training_steps_match_plain_steps(cell: str, dtype: torch.dtype, optimizer: str) -> None:
    config = TrainingConfig(optimizer=optimizer, steps=1)
    torch.manual_seed(0)
    here = RecurrentModel(ModelConfig(cell=cell, hidden_size=128), 50).to("cuda")
    there = copy.deepcopy(here)
    by_graph = CudaGraphStep(ModelOptimizer(here, config, dtype))
    plain = ModelOptimizer(there, config, dtype)
    batches = torch.randint(0, 50, (8, 2, 8, 16))
    state = other_state = None
    for number, (inputs, targets) in enumerate(batches):
        rate = 1e-3 * (number + 1)
        loss, state = by_graph((inputs, targets), state, rate)
        other_loss, other_state = take_step(plain, (inputs, targets), other_state, rate)
        tolerance = 1e-4 if dtype == torch.float32 else 1e-2
        torch.testing.assert_close(loss, other_loss, rtol=tolerance, atol=tolerance)
    assert by_graph.graph is not None
    for found, expected in zip(state or (), other_state or (), strict=True):
        torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


def test_gpu_training_stopped_and_resumed_is_the_same(small_corpus: Corpus) -> None:
    """With dropout; the losses are those of an undisturbed one, but for rounding."""
    config = TrainingConfig(steps=20, seq_length=16, batch_size=8, warmup_steps=5, precision="float32")
    streams, nothing = Streams(small_corpus.train.ids, 8, 16), small_corpus.ids[:0]

    def begin() -> Training:
        torch.manual_seed(0)
        model = RecurrentModel(ModelConfig(hidden_size=32, dropout=0.2), len(small_corpus.vocabulary)).to("cuda")
        return Training(model, streams, nothing, config)

    whole = [step.loss.item() for step in begin().steps()]
    first, stop, found = begin(), StopFlag(), []
    for step in first.steps(stop):
        found.append(step.loss.item())
        if step.number == 8:
            stop.request()
    tensors = {name: tensor.cpu().clone() for name, tensor in first.tensors().items()}
    second = begin()
    second.model.load_state_dict(first.model.state_dict())
    second.restore(first.step, first.validation_pending, tensors)
    found += [step.loss.item() for step in second.steps()]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(whole), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("feature", ["graphs", "triton"])
def test_gpu_features_pass_their_trials(feature: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child, as for a user; with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setattr(gpu_features, "_failures", {})
    assert is_allowed(feature, torch.device("cuda")), gpu_features._failures


COMMANDS = (
    "train text.txt --steps 20 --hidden 64 --out a",
    "train text.txt --minutes 0.05 --out minutes",
    "train text.txt --steps 20 --hidden 64 --cell mingru --dropout 0.2 --out min",
    "train text.txt --steps 20 --hidden 64 --with-ngram --networks 2 --out mixed",
    "train lines.txt --steps 20 --hidden 64 --document-separator \\n --out lines",
    "sample a --length 600 --seed 1",
    "sample mixed --length 100",
    "sample a --beam 2 --length 20",
    "score a",
    "score a --online",
    "score mixed --lines",
    "compare a min --prime to --novelty-length 0",
    "compare a --online --baselines none --novelty-length 0",
    "complete lines sources.txt",
    "view a --out page.html",
    "lab length --quick",
)


def test_commands_on_gpu_run(charrnn: Charrnn, folder: Path) -> None:
    (folder / "lines.txt").write_text("".join(f"{i}\t{i + 1}\n" for i in range(2000)))
    (folder / "sources.txt").write_text("12\n13\n")
    for line in COMMANDS:
        words = line.split()
        needed = {"view": "matplotlib", "lab": "matplotlib"}.get(words[0])
        if needed and not importlib.util.find_spec(needed):
            continue  # the machine that is lent has few packages
        found = charrnn(*words, "--device", "cuda")
        assert found.status == 0, (line, found.err)


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_training_resumes_on_another_device(first: str, second: str, charrnn: Charrnn) -> None:
    words = ("train", "text.txt", "--hidden", 32, "--steps", 6, "--out", "a")
    ended = charrnn(*words, "--device", first)
    assert ended.status == 0, ended.err
    found = charrnn("train", "text.txt", "--resume", "--steps", 12, "--out", "a", "--device", second)
    assert found.status == 0, found.err


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_second_gpu_works_without_set_device(small_corpus: Corpus) -> None:
    model = RecurrentModel(ModelConfig(hidden_size=32), len(small_corpus.vocabulary)).to("cuda:1")
    config = TrainingConfig(steps=8, seq_length=16, batch_size=8)
    *_, last = train(model, Streams(small_corpus.train.ids, 8, 16), small_corpus.validation, config)
    assert last.loss.isfinite()
