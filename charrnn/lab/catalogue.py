"""The experiments by name, with the question that each answers. Importing this module loads nothing heavy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from charrnn.errors import DivergedError, ModelError

if TYPE_CHECKING:
    from charrnn.lab.experiment import LabContext, LabResult


@dataclass(frozen=True)
class Experiment:
    """An experiment.

    Attributes:
        question: the question that it answers, in a sentence.
        reads_text: whether it reads a text; otherwise it generates its data.
        trains: whether it trains networks, on a device of the user's choice.
    """

    question: str
    reads_text: bool = True
    trains: bool = True


EXPERIMENTS = {
    "vanishing": Experiment("How much does a loss depend on what was read d characters before, fresh and trained?"),
    "memory": Experiment("After how many characters can each cell still recall a symbol, or close a bracket?", False),
    "cells": Experiment("Which cell predicts best, with the same parameters and the same minutes?"),
    "length": Experiment("How much faster does a scan train than a step-by-step cell, by sequence length?", False),
    "ngrams": Experiment("What do n-grams predict, and what do they copy, by their order?", trains=False),
}
"""All experiments, in the order of the lecture. Each is the module of its name in this package, with

    SIZES   the settings of its sizes `tiny`, `quick` and `full`
    run     (context, settings) → LabResult
"""


def load_experiment(name: str) -> ModuleType:
    """The module of an experiment."""
    return importlib.import_module(f"charrnn.lab.{name}")


def run_experiment(name: str, context: LabContext, size: str = "full") -> LabResult:
    """Run an experiment.

    Args:
        name: one of `EXPERIMENTS`.
        context: its text, seed, device and progress callback.
        size: `tiny`, `quick` or `full`.

    Raises:
        ModelError: a training diverged.
    """
    module = load_experiment(name)
    try:
        result: LabResult = module.run(context, module.SIZES[size])
    except DivergedError as error:  # its advice is about --learning-rate, which experiments do not have
        raise ModelError(f"{name}: {str(error).partition(';')[0]}; say another --seed, or another --text") from error
    return result
