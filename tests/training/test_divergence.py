"""A diverged loss: training continues from the last saved state with half the learning rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.errors import DivergedError
from charrnn.text.corpus import Corpus
from charrnn.training import loop
from charrnn.training.ensemble import train_ensemble
from charrnn.training.monitor.monitor import Level, Monitor, Report
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.step import StepResult, TakeStep, make_step

CONFIG = TrainingConfig(steps=12, seq_length=16, batch_size=4, warmup_steps=2, validate_every=6)
Spoil = Callable[[int, Tensor], Tensor]
Train = Callable[[Spoil], tuple[list[StepResult], list[str]]]


@pytest.fixture
def run(small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Return a function that trains with losses changed by a function of the number of steps taken so far."""

    def train(spoil: Spoil) -> tuple[list[StepResult], list[str]]:
        taken = 0

        def make_spoiled_step(*arguments: Any) -> TakeStep:
            take = make_step(*arguments)

            def take_spoiled_step(*batch_and_state: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
                nonlocal taken
                taken += 1
                loss, after = take(*batch_and_state)
                return spoil(taken, loss), after

            return take_spoiled_step

        monkeypatch.setattr(loop, "make_step", make_spoiled_step)
        monkeypatch.setattr(loop, "CHECKED_EVERY", 1)
        warnings: list[str] = []
        path, model = tmp_path / "it.safetensors", ModelConfig(hidden_size=8)
        checkpoints = CheckpointManager(path, Run(small_corpus, model, CONFIG, RunContext(warn=warnings.append)))
        steps = train_ensemble(checkpoints, save_every=4)
        return [step for step, _ in steps], warnings

    return train


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 100.0])
def test_diverged_loss_restarts_from_saved_state_with_half_the_rate(run: Train, value: float) -> None:
    steps, warnings = run(lambda taken, loss: torch.tensor(value) if taken == 6 else loss)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, *range(5, 13)]
    assert len(warnings) == 1
    assert warnings[0].startswith("step 6: the loss diverged (")
    assert warnings[0].endswith("; learning rate halved, training continues from step 4")
    assert steps[5].learning_rate == steps[4].learning_rate / 2
    assert steps[-1].score


def test_diverged_loss_before_first_save_restarts_from_step_0(run: Train) -> None:
    steps, warnings = run(lambda taken, loss: loss / (taken != 2))
    assert [step.number for step in steps] == [1, *range(1, 13)]
    assert warnings[0].endswith("training continues from step 0")


def test_diverged_loss_after_three_halvings_raises(run: Train) -> None:
    with pytest.raises(DivergedError, match=r"step 5: the loss diverged \(nan nats per character\); try a lower"):
        run(lambda taken, loss: loss * float("nan") if taken >= 6 else loss)


def test_monitor_report_of_diverged_weights_has_no_sample(small_corpus: Corpus, tmp_path: Path) -> None:
    """A sample that was due between the divergence and its discovery ended the training instead of halving the rate."""
    run = Run(small_corpus, ModelConfig(hidden_size=8), CONFIG, RunContext())
    checkpoints = CheckpointManager(tmp_path / "it.safetensors", run)
    reports: list[Report] = []
    monitor = Monitor(checkpoints, [(Level.UPDATE, reports.append)], wants_sample=lambda: True)
    for step, is_best in train_ensemble(checkpoints, save_every=4):
        with torch.no_grad():
            checkpoints.training.model.head.weight.fill_(float("nan"))
        monitor.update(step, is_best)
        break
    assert [report.sample for report in reports] == [None]
