"""The experiments by their names, with a sentence each; loads none of them, nor anything heavy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Experiment:
    """An experiment in the list.

    Attributes:
        question: what it asks, in a sentence.
        reads_text: whether it is about a text; or else it makes up what it reads.
        trains: whether it trains networks, on the device that is named.
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
"""In the order in which the lecture has them. Each is the module of its name beside this one, which has

    SIZES   by name, `tiny`, `quick` and `full`: how large the experiment is
    run     (context, size) → LabResult
"""


def load_experiment(name: str) -> ModuleType:
    """The experiment itself."""
    return importlib.import_module(f"charrnn.lab.{name}")
