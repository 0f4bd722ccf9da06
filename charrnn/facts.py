"""What a checkpoint remembers of how its model came to be, and how that comes back from JSON."""

from __future__ import annotations

import dataclasses
import math
import platform
import types
import typing
from dataclasses import dataclass, field
from typing import Any

import torch

from charrnn import __version__
from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig
from charrnn.text.corpus import Corpus


def versions() -> dict[str, str]:
    """Of what a result may depend on."""
    return {"charrnn": __version__, "torch": torch.__version__, "python": platform.python_version()}


@dataclass(frozen=True)
class TextFacts:
    """Which text a model was fitted on, and how it was read.

    Attributes:
        path: as it was given on the command line.
        sha256: of the file's bytes.
        characters: how many there are.
        corpus: encoding and split.
    """

    path: str
    sha256: str
    characters: int
    corpus: CorpusConfig

    @classmethod
    def of(cls, corpus: Corpus) -> TextFacts:
        """Those of a text that was read."""
        return cls(str(corpus.path), corpus.sha256, len(corpus), corpus.config)


@dataclass(frozen=True)
class ScoreFacts:
    """The score of the validation part when the checkpoint was made. Infinite scores are None.

    Attributes:
        bits_per_char: the unit of quality.
        nats_per_char: the same in nats.
        characters: how many were scored.
        impossible_share: the share that had probability 0.
        split: such as 90/10/0.
        rule: how it was scored.
    """

    bits_per_char: float | None
    nats_per_char: float | None
    characters: int
    impossible_share: float
    split: str
    rule: str = "static, full"


@dataclass(frozen=True)
class Facts:
    """What is known of how a model came to be.

    Attributes:
        text: the text it was fitted on.
        fit_seconds: how long that took, validations included.
        device: where.
        validation: its score, if it was scored.
        training: settings, for a network.
        step: how many steps were taken, for a network.
        command: the command line.
        versions: of charrnn, torch and Python.
    """

    text: TextFacts
    fit_seconds: float
    device: str
    validation: ScoreFacts | None = None
    training: TrainingConfig | None = None
    step: int | None = None
    command: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=versions)


@dataclass(frozen=True)
class ProgressFacts:
    """How far a training is, as far as that is numbers; weights, moments, states and generators are tensors beside it.

    Attributes:
        model: all networks that are trained.
        with_ngram: whether they are going to be mixed with n-grams.
        finished: how many are.
        steps_of_finished: how many steps they took.
        number: steps taken of the one that is being trained.
        due: whether a validation is still to come after the last of them.
        plan: its steps, steps between validations, characters of a validation; None while speed is measured.
        best_step: after which step its best state was.
        best_nats: what that scored, None if nothing was; with the numbers of characters and of impossible ones.
        best_characters: see there.
        best_impossible: see there.
        seconds: that it took so far.
        halvings: how often the learning rate was halved, because the loss exploded.
    """

    model: ModelConfig
    with_ngram: bool
    finished: int
    steps_of_finished: int
    number: int
    due: bool
    plan: tuple[int, ...] | None
    best_step: int
    best_nats: float | None
    best_characters: int
    best_impossible: int
    seconds: float
    halvings: int = 0


def restore(key: str, value: Any, kind: Any) -> Any:
    """What `kind` says from what JSON gives: dataclasses from objects, tuples from lists; defaults may be left out.

    Raises:
        ValueError: the value is of another type; the message names the key, what was expected and what was found.
        TypeError: a dataclass lacks a field or does not have it; the message names it.
    """
    inner = typing.get_args(kind)
    if isinstance(kind, types.UnionType):  # T | None
        return None if value is None else restore(key, value, inner[0])
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        fields = typing.get_type_hints(kind)
        return kind(**{name: restore(f"{key}.{name}", one, fields.get(name, object)) for name, one in value.items()})
    if typing.get_origin(kind) is dict and isinstance(value, dict):
        return {name: restore(f"{key}.{name}", one, inner[1]) for name, one in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(restore(key, one, inner[0]) for one in value)
    # JSON may write 1.0 as 1; and it has no infinite numbers, so none may come out of it.
    is_real = kind is float and type(value) in (int, float) and math.isfinite(value)
    if is_real or kind is object or (type(value) is kind and kind is not float):
        return value
    raise ValueError(f"{key}: expected {getattr(kind, '__name__', kind)}, found {value!r:.50}")
