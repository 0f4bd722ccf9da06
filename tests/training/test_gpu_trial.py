"""The trials of a GPU's features, on graphs in software: right recordings pass, and wrong ones are found."""

from collections.abc import Callable

import pytest
import torch

from charrnn.config import CELLS, OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.errors import CaptureError
from charrnn.models.hardware.processor import fast_half_precisions
from charrnn.models.rnn import cuda_graph as recorded
from charrnn.models.rnn.cuda_graph import CudaGraphStepper
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler
from charrnn.training import gpu_trial
from charrnn.training import step as steps
from charrnn.training.gpu_trial import try_sampling, try_training
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.step import Batch, CudaGraphStep, make_step

pytestmark = pytest.mark.usefixtures("software_graphs")
CPU = torch.device("cpu")
SHAPE = (32, 4, 8)
PRECISIONS = ["float32", *(["bfloat16"] if torch.bfloat16 in fast_half_precisions() else [])]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS)
def test_cuda_graph_steps_equal_plain_steps(cell: str, optimizer: str, precision: str) -> None:
    """With dropout, and at a rate that changes."""
    try_training(cell, optimizer, precision, SHAPE, CPU)


@pytest.mark.parametrize("cell", CELLS)
def test_cuda_graph_sampling_equals_single_steps(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (recorded, gpu_trial):
        monkeypatch.setattr(module, "STEPS_BEFORE_CAPTURE", 3)
        monkeypatch.setattr(module, "BLOCK_LENGTH", 5)
    monkeypatch.setattr(gpu_trial, "TRIED", 20)
    monkeypatch.setattr(gpu_trial, "SAME", 1.0)
    try_sampling(cell, CPU)


def spoil_rate(steps: CudaGraphStep) -> None:
    """The graph goes on with the rate of another tensor."""
    steps.lr = torch.zeros(())


def spoil_batch(steps: CudaGraphStep) -> None:
    """New batches go where the graph doesn't read."""
    steps.batch = steps.batch[0].clone(), steps.batch[1].clone()


def spoil_state(steps: CudaGraphStep) -> None:
    steps.state = tuple(part.clone() for part in steps.state)


@pytest.mark.parametrize("spoil", [spoil_rate, spoil_batch, spoil_state])
def test_trial_of_wrong_graph_raises(spoil: Callable[[CudaGraphStep], None], monkeypatch: pytest.MonkeyPatch) -> None:
    record = CudaGraphStep._record

    def wrong(self: CudaGraphStep, batch: Batch) -> None:
        record(self, batch)
        spoil(self)

    monkeypatch.setattr(CudaGraphStep, "_record", wrong)
    with pytest.raises(AssertionError, match="recorded weights differ"):
        try_training("lstm", "muon", "float32", SHAPE, CPU)


def begun() -> tuple[CudaGraphStep, RecurrentModel]:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=16), 20).train()
    taken = make_step(ModelOptimizer(model, TrainingConfig(), torch.float32))
    assert isinstance(taken, CudaGraphStep)
    return taken, model


def test_cuda_graph_step_does_not_change_callers_batch() -> None:
    """It was the memory that replays write into."""
    taken, _ = begun()
    batches = [(torch.randint(0, 20, (4, 8)), torch.randint(0, 20, (4, 8))) for _ in range(5)]
    kept = [(inputs.clone(), targets.clone()) for inputs, targets in batches]
    for batch in batches:
        taken(batch, None, 1e-2)
    for found, expected in zip(batches, kept, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_cuda_graph_step_updates_loss_scale(optimizer: str) -> None:
    """Steps whose gradients are too large are left out, and the factor is halved, without asking the host."""
    results = []
    for is_recorded in (True, False):
        torch.manual_seed(0)
        model = RecurrentModel(ModelConfig(hidden_size=16), 20).train()
        updates = ModelOptimizer(model, TrainingConfig(optimizer=optimizer), torch.float16)
        updates.dtype = torch.float32
        assert updates.scale
        updates.scale.factor.fill_(3e38)
        model.head.weight.data.mul_(300)  # so that gradients are infinite until the factor has been halved
        graph = CudaGraphStep(updates)
        torch.manual_seed(1)
        for _ in range(10):
            tokens = torch.randint(0, 20, (4, 9))
            batch = tokens[:, :-1], tokens[:, 1:]
            rate = torch.tensor(1e-2)
            graph(batch, None, 1e-2) if is_recorded else steps.take_step(updates, batch, None, rate)
        results.append((updates.scale.factor.item(), torch.cat([one.detach().flatten() for one in model.parameters()])))
    assert results[0][0] == results[1][0] < 3e38
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-5)


def test_cuda_graph_step_with_other_shape_runs_plain() -> None:
    taken, model = begun()
    for rows, length in [(4, 8), (4, 8), (4, 8), (3, 5), (4, 8), (4, 1)]:
        tokens = torch.randint(0, 20, (rows, length + 1))
        before = model.head.weight.detach().clone()
        loss, state = taken((tokens[:, :-1], tokens[:, 1:]), None, 1e-2)
        assert loss.isfinite()
        assert {len(part) for part in state} == {rows}
        assert not torch.equal(before, model.head.weight)
    assert taken.graph is not None


def test_failed_capture_raises_recording_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process holds afterwards cannot be relied on, so nothing goes on by itself."""
    taken, _ = begun()
    tokens = torch.randint(0, 20, (4, 9))
    batch = tokens[:, :-1], tokens[:, 1:]
    step = steps.take_step

    def waits(*args: object) -> object:
        found = step(*args)  # type: ignore[arg-type]
        found[0].item()
        return found

    monkeypatch.setattr(steps, "take_step", waits)
    for _ in range(2):
        taken(batch, None, 1e-2)
    with pytest.raises(CaptureError, match=r"capture a CUDA graph \(_local_scalar_dense.*\); try CHARRNN_GRAPHS=0"):
        taken(batch, None, 1e-2)


def test_short_texts_are_sampled_without_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the samples of a training: a recording that fails there would end it."""
    model = RecurrentModel(ModelConfig(hidden_size=8), 20).eval()
    stepper = CudaGraphStepper(model, model.empty_state(1), None)
    monkeypatch.setattr(stepper, "_capture", lambda function: pytest.fail("it was recorded"))
    draw, tokens = CounterTemperatureSampler(0.8, CounterRNG([0])), torch.zeros(1, dtype=torch.int64).numpy()
    for _ in range(200):
        tokens = stepper.draw_next(tokens, draw)
