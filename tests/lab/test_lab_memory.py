"""`charrnn lab memory`: the tasks are what they say, and whoever guesses is as good as chance."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn.config import CELLS
from charrnn.lab.experiment import LabContext
from charrnn.lab.memory import (
    ASKS,
    DEPTH,
    DISTRACTORS,
    KINDS,
    SIZES,
    STRING,
    TASKS,
    VOCAB_SIZE,
    bracket_batch,
    copy_batch,
    measure,
    run,
)
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import IGNORE_INDEX


def test_copy_batch_asks_for_symbols_after_the_distance() -> None:
    inputs, targets = copy_batch(np.random.default_rng(0), 50, 7)
    asked = 7 + STRING
    assert inputs.shape == targets.shape == (50, asked + STRING)
    assert torch.equal(targets[:, asked:], inputs[:, :STRING])
    assert (targets[:, :asked] == IGNORE_INDEX).all()
    assert (inputs[:, STRING:asked] < DISTRACTORS).all()
    assert (inputs[:, asked:] == ASKS).all()
    assert len(set(inputs[:, :STRING].flatten().tolist())) == TASKS["copy"].choices


@pytest.mark.parametrize("distance", [1, 2, 40])
def test_bracket_batch_is_well_nested_and_closes_the_first_last(distance: int) -> None:
    inputs, targets = bracket_batch(np.random.default_rng(0), 50, distance)
    assert inputs.shape == targets.shape == (50, distance + 1)
    deepest = 0
    for row, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        open_ones: list[int] = []
        for place, character in enumerate(row):
            if DISTRACTORS <= character < DISTRACTORS + KINDS:
                open_ones.append(character)
                deepest = max(deepest, len(open_ones) - 1)
            elif character >= DISTRACTORS:
                assert character == open_ones.pop() + KINDS
                assert open_ones, "the first one is open to the end"
            comes = row[place + 1] if place < distance else open_ones[0] + KINDS
            assert wanted[place] == (comes if comes >= DISTRACTORS + KINDS else IGNORE_INDEX)
        assert len(open_ones) == 1
    assert deepest == (DEPTH if distance == 40 else distance // 2)


class Guessing:
    """Answers by lot, among the answers there are."""

    def __init__(self, task: str) -> None:
        first = {"copy": DISTRACTORS, "brackets": DISTRACTORS + KINDS}[task]
        self.task = task
        self.answers = slice(first, first + TASKS[task].choices)
        self.drawn = torch.Generator().manual_seed(0)

    def __call__(self, tokens: Tensor) -> tuple[Tensor, None]:
        logits = torch.zeros(*tokens.shape, VOCAB_SIZE)
        logits[..., self.answers] = 1 + torch.rand(*tokens.shape, TASKS[self.task].choices, generator=self.drawn)
        return logits, None


@pytest.mark.parametrize("task", TASKS)
def test_task_guessed_has_the_accuracy_of_chance(task: str) -> None:
    size = SIZES["tiny"].__class__(0, 0, 1, (1, 5), tests=2000)
    found = measure(cast(RecurrentModel, Guessing(task)), task, size, np.random.default_rng(1))
    assert found == pytest.approx([1 / TASKS[task].choices] * 2, abs=0.03)


def test_memory_has_a_row_for_each_task_cell_and_distance() -> None:
    size = SIZES["tiny"]
    result = run(LabContext(seed=1), size)
    assert len(result.rows) == len(TASKS) * len(CELLS) * len(size.distances)
    assert list(result.rows[0]) == ["task", "cell", "width", "parameters", "distance", "accuracy", "chance"]
    assert {row["chance"] for row in result.rows} == {1 / 8, 1 / 4}
    assert all(abs(row["parameters"] - size.parameters) <= 0.02 * size.parameters for row in result.rows)
    assert run(LabContext(seed=1), size).rows == result.rows
