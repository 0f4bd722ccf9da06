"""The experiments by name, with the question that each answers. Importing this module is fast."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from charrnn.config import CorpusConfig
from charrnn.errors import DivergedError, ModelError

if TYPE_CHECKING:
    from charrnn.lab.experiment import LabContext, LabResult


PROSE = CorpusConfig()
"""How a text is read by default."""
LINES = CorpusConfig(document_separator="\n")
"""How a text is read whose lines do not depend on each other."""


@dataclass(frozen=True)
class Experiment:
    """An experiment.

    Attributes:
        question: the question that the experiment answers.
        text: the known text that the experiment reads by default; None if the data is synthetic.
        corpus: how the text is read and split.
        trains: whether the experiment trains networks, and so runs on the selected device.
    """

    question: str
    text: str | None = "tinyshakespeare"
    corpus: CorpusConfig = PROSE
    trains: bool = True


EXPERIMENTS = {
    "vanishing": Experiment("How fast does the gradient vanish with the distance, before and after training?"),
    "memory": Experiment("For how many characters can each cell remember symbols, or an open bracket?", None),
    "cells": Experiment("Which cell predicts best with the same number of parameters and the same training time?"),
    "history": Experiment(
        "Does accuracy fall with the length of the source, and what do reversing it and attention change?", None
    ),
    "length": Experiment("How much faster does a scan train than a step-by-step cell, by sequence length?", None),
    "ngrams": Experiment("How well do n-grams predict, and how much do they copy, by order?", trains=False),
    "names": Experiment("How well can each model tell the language of a name?", "names", LINES),
}
"""All experiments, in the order of the lecture. Each is a module of that name in this package, with

    SIZES   settings for the sizes `tiny`, `quick` and `full`
    run     function (context, settings) → LabResult
    draw    function (rows, settings) → figure
"""


def load_experiment(name: str) -> ModuleType:
    """Import the module of an experiment."""
    return importlib.import_module(f"charrnn.lab.{name}")


def run_experiment(name: str, context: LabContext, size: str = "full") -> LabResult:
    """Run an experiment.

    Args:
        name: name of the experiment, a key of `EXPERIMENTS`.
        context: text, seed, device and progress callback.
        size: `tiny`, `quick` or `full`.

    Raises:
        ModelError: training diverged.
    """
    module = load_experiment(name)
    try:
        result: LabResult = module.run(context, module.SIZES[size])
    except DivergedError as error:  # replace the advice about --learning-rate, an option that experiments do not have
        raise ModelError(f"{name}: {str(error).partition(';')[0]}; try another --seed") from error
    return result
