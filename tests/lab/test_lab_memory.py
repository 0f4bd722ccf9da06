"""`charrnn lab memory`: the sequences of the tasks are correct, and guessing has the accuracy of chance."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn.config import CELLS
from charrnn.lab.experiment import LabContext
from charrnn.lab.memory import (
    DEPTH,
    DISTRACTORS,
    KINDS,
    QUERY,
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
    queries = 7 + STRING
    assert inputs.shape == targets.shape == (50, queries + STRING)
    assert torch.equal(targets[:, queries:], inputs[:, :STRING])
    assert (targets[:, :queries] == IGNORE_INDEX).all()
    assert (inputs[:, STRING:queries] < DISTRACTORS).all()
    assert (inputs[:, queries:] == QUERY).all()
    assert len(set(inputs[:, :STRING].flatten().tolist())) == TASKS["copy"].choices


@pytest.mark.parametrize("distance", [1, 2, 40])
def test_bracket_batch_is_well_nested_and_closes_the_first_last(distance: int) -> None:
    inputs, targets = bracket_batch(np.random.default_rng(0), 50, distance)
    assert inputs.shape == targets.shape == (50, distance + 1)
    deepest = 0
    for row, row_targets in zip(inputs.tolist(), targets.tolist(), strict=True):
        stack: list[int] = []
        for place, character in enumerate(row):
            if DISTRACTORS <= character < DISTRACTORS + KINDS:
                stack.append(character)
                deepest = max(deepest, len(stack) - 1)
            elif character >= DISTRACTORS:
                assert character == stack.pop() + KINDS
                assert stack, "the first bracket is open until the end"
            following = row[place + 1] if place < distance else stack[0] + KINDS
            assert row_targets[place] == (following if following >= DISTRACTORS + KINDS else IGNORE_INDEX)
        assert len(stack) == 1
    assert deepest == (DEPTH if distance == 40 else distance // 2)


class RandomGuesser:
    """A model that chooses at random among the possible answers."""

    def __init__(self, task: str) -> None:
        first = {"copy": DISTRACTORS, "brackets": DISTRACTORS + KINDS}[task]
        self.task = task
        self.answers = slice(first, first + TASKS[task].choices)
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, tokens: Tensor) -> tuple[Tensor, None]:
        logits = torch.zeros(*tokens.shape, VOCAB_SIZE)
        logits[..., self.answers] = 1 + torch.rand(*tokens.shape, TASKS[self.task].choices, generator=self.generator)
        return logits, None


@pytest.mark.parametrize("task", TASKS)
def test_task_guessed_has_the_accuracy_of_chance(task: str) -> None:
    size = SIZES["tiny"].__class__(0, 0, 1, (1, 5), tests=2000)
    accuracies = measure(cast(RecurrentModel, RandomGuesser(task)), task, size, np.random.default_rng(1))
    assert accuracies == pytest.approx([1 / TASKS[task].choices] * 2, abs=0.03)


def test_memory_has_a_row_for_each_task_cell_and_distance() -> None:
    size = SIZES["tiny"]
    result = run(LabContext(seed=1), size)
    assert len(result.rows) == len(TASKS) * len(CELLS) * len(size.distances)
    assert list(result.rows[0]) == ["task", "cell", "width", "parameters", "distance", "accuracy", "chance"]
    assert {row["chance"] for row in result.rows} == {1 / 8, 1 / 4}
    assert all(abs(row["parameters"] - size.parameters) <= 0.02 * size.parameters for row in result.rows)
    assert run(LabContext(seed=1), size).rows == result.rows
