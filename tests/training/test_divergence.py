"""A loss that explodes: back to the last good state, with half the rate."""

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
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.step import StepResult, TakeStep, make_step

CONFIG = TrainingConfig(steps=12, seq_length=16, batch_size=4, warmup_steps=2, validate_every=6)
Spoil = Callable[[int, Tensor], Tensor]
Train = Callable[[Spoil], tuple[list[StepResult], list[str]]]


@pytest.fixture
def run(small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """A training whose losses go through a function, which is told how many steps were taken in all."""

    def train(spoil: Spoil) -> tuple[list[StepResult], list[str]]:
        taken = 0

        def spoiling(*given: Any) -> TakeStep:
            take = make_step(*given)

            def one(*step: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
                nonlocal taken
                taken += 1
                loss, after = take(*step)
                return spoil(taken, loss), after

            return one

        monkeypatch.setattr(loop, "make_step", spoiling)
        monkeypatch.setattr(loop, "CHECKED_EVERY", 1)
        told: list[str] = []
        path, model = tmp_path / "it.safetensors", ModelConfig(hidden_size=8)
        checkpoints = CheckpointManager(path, Run(small_corpus, model, CONFIG, RunContext(warn=told.append)))
        steps = train_ensemble(checkpoints, save_every=4)
        return [step for step, _ in steps], told

    return train


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 100.0])
def test_diverged_loss_restarts_from_saved_state_with_half_the_rate(run: Train, value: float) -> None:
    steps, told = run(lambda taken, loss: torch.tensor(value) if taken == 6 else loss)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, *range(5, 13)]
    assert len(told) == 1
    assert "step 6: the loss diverged (" in told[0]
    assert told[0].endswith("; learning rate halved, training continues from step 4")
    assert steps[5].learning_rate == steps[4].learning_rate / 2
    assert steps[-1].score


def test_diverged_loss_before_first_save_restarts_from_step_0(run: Train) -> None:
    steps, told = run(lambda taken, loss: loss / (taken != 2))
    assert [step.number for step in steps] == [1, *range(1, 13)]
    assert told[0].endswith("training continues from step 0")


def test_diverged_loss_after_three_halvings_raises(run: Train) -> None:
    with pytest.raises(DivergedError, match=r"step 5: the loss diverged \(nan nats per character\); try a lower"):
        run(lambda taken, loss: loss * float("nan") if taken >= 6 else loss)
