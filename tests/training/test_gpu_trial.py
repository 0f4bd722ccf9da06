"""The trials of GPU features with simulated CUDA graphs: correct captures pass, and wrong ones are detected."""

from collections.abc import Callable

import pytest
import torch

from charrnn.config import CELLS, OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.errors import CaptureError
from charrnn.models.hardware.processor import fast_half_precisions
from charrnn.models.rnn import cuda_graph
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
    """With dropout and a changing learning rate."""
    try_training(cell, optimizer, precision, SHAPE, CPU)


@pytest.mark.parametrize("cell", CELLS)
def test_cuda_graph_sampling_equals_single_steps(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cuda_graph, gpu_trial):
        monkeypatch.setattr(module, "STEPS_BEFORE_CAPTURE", 3)
        monkeypatch.setattr(module, "BLOCK_LENGTH", 5)
    monkeypatch.setattr(gpu_trial, "TRIED", 20)
    monkeypatch.setattr(gpu_trial, "SAME", 1.0)
    try_sampling(cell, CPU)


def spoil_rate(steps: CudaGraphStep) -> None:
    """The graph keeps using the old learning-rate tensor."""
    steps.lr = torch.zeros(())


def spoil_batch(steps: CudaGraphStep) -> None:
    """New batches are copied to memory that the graph does not read."""
    steps.batch = steps.batch[0].clone(), steps.batch[1].clone()


def spoil_state(steps: CudaGraphStep) -> None:
    steps.state = tuple(part.clone() for part in steps.state)


@pytest.mark.parametrize("spoil", [spoil_rate, spoil_batch, spoil_state])
def test_trial_of_wrong_graph_raises(spoil: Callable[[CudaGraphStep], None], monkeypatch: pytest.MonkeyPatch) -> None:
    capture = CudaGraphStep._capture

    def wrong_capture(self: CudaGraphStep, batch: Batch) -> None:
        capture(self, batch)
        spoil(self)

    monkeypatch.setattr(CudaGraphStep, "_capture", wrong_capture)
    with pytest.raises(AssertionError, match="captured steps differ by"):
        try_training("lstm", "muon", "float32", SHAPE, CPU)


def make_graph_step() -> tuple[CudaGraphStep, RecurrentModel]:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=16), 20).train()
    take_step = make_step(ModelOptimizer(model, TrainingConfig(), torch.float32))
    assert isinstance(take_step, CudaGraphStep)
    return take_step, model


def test_cuda_graph_step_does_not_change_callers_batch() -> None:
    """Replays once wrote into the memory of the caller's batch."""
    take_step, _ = make_graph_step()
    batches = [(torch.randint(0, 20, (4, 8)), torch.randint(0, 20, (4, 8))) for _ in range(5)]
    copies = [(inputs.clone(), targets.clone()) for inputs, targets in batches]
    for batch in batches:
        take_step(batch, None, 1e-2)
    for (inputs, targets), (expected_inputs, expected_targets) in zip(batches, copies, strict=True):
        assert torch.equal(inputs, expected_inputs)
        assert torch.equal(targets, expected_targets)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_cuda_graph_step_updates_loss_scale(optimizer: str) -> None:
    """Steps with overflowing gradients are skipped, and the scale is halved, without waiting for the host."""
    results = []
    for is_captured in (True, False):
        torch.manual_seed(0)
        model = RecurrentModel(ModelConfig(hidden_size=16), 20).train()
        updates = ModelOptimizer(model, TrainingConfig(optimizer=optimizer), torch.float16)
        updates.dtype = torch.float32
        assert updates.scale
        updates.scale.factor.fill_(3e38)
        model.head.weight.data.mul_(300)  # gradients are infinite until the scale has been halved
        graph = CudaGraphStep(updates)
        torch.manual_seed(1)
        for _ in range(10):
            tokens = torch.randint(0, 20, (4, 9))
            batch = tokens[:, :-1], tokens[:, 1:]
            rate = torch.tensor(1e-2)
            graph(batch, None, 1e-2) if is_captured else steps.take_step(updates, batch, None, rate)
        weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        results.append((updates.scale.factor.item(), weights))
    assert results[0][0] == results[1][0] < 3e38
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-5)


def test_cuda_graph_step_with_other_shape_runs_plain() -> None:
    take_step, model = make_graph_step()
    for rows, length in [(4, 8), (4, 8), (4, 8), (3, 5), (4, 8), (4, 1)]:
        tokens = torch.randint(0, 20, (rows, length + 1))
        before = model.head.weight.detach().clone()
        loss, state = take_step((tokens[:, :-1], tokens[:, 1:]), None, 1e-2)
        assert loss.isfinite()
        assert {len(part) for part in state} == {rows}
        assert not torch.equal(before, model.head.weight)
    assert take_step.graph is not None


def test_failed_capture_raises_capture_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed capture the state of the process is unreliable, so it must not continue."""
    take_step, _ = make_graph_step()
    tokens = torch.randint(0, 20, (4, 9))
    batch = tokens[:, :-1], tokens[:, 1:]
    plain_step = steps.take_step

    def waiting_step(*args: object) -> object:
        loss, state = plain_step(*args)  # type: ignore[arg-type]
        loss.item()
        return loss, state

    monkeypatch.setattr(steps, "take_step", waiting_step)
    for _ in range(2):
        take_step(batch, None, 1e-2)
    with pytest.raises(CaptureError, match=r"capture a CUDA graph \(_local_scalar_dense.*\); try CHARRNN_GRAPHS=0"):
        take_step(batch, None, 1e-2)


def test_short_texts_are_sampled_without_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the samples during training, where a failed capture would end the training."""
    model = RecurrentModel(ModelConfig(hidden_size=8), 20).eval()
    stepper = CudaGraphStepper(model, model.empty_state(1), None)
    monkeypatch.setattr(stepper, "_capture", lambda function: pytest.fail("a step was captured"))
    draw, tokens = CounterTemperatureSampler(0.8, CounterRNG([0])), torch.zeros(1, dtype=torch.int64).numpy()
    for _ in range(200):
        tokens = stepper.draw_next(tokens, draw)
