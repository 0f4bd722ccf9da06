"""The metadata of a checkpoint (text, settings, score, progress), and converting JSON to dataclasses."""

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
from charrnn.config import MAX_INT, CorpusConfig, ModelConfig, TrainingConfig
from charrnn.text.corpus import Corpus
from charrnn.text.sources import STANDARD_INPUT, describe_paths

MAX_EXACT_INTEGER = 2**53
"""The largest number of characters, steps or seconds: up to here, a float represents every integer."""
MAX_HALVINGS = 3
"""The maximum number of times that the learning rate is halved because the loss diverged."""


def software_versions() -> dict[str, str]:
    """Return the versions of all software that a result may depend on."""
    return {"charrnn": __version__, "torch": torch.__version__, "python": platform.python_version()}


@dataclass(frozen=True)
class DatasetInfo:
    """The text that a model was trained on.

    Attributes:
        path: the file as given on the command line (the first of several), `-` for standard input, or "" for a string.
        sha256: SHA-256 of the bytes, see Corpus.
        corpus: how the text was decoded and split.
        paths: all files, if there are several.
    """

    path: str
    sha256: str
    characters: int
    corpus: CorpusConfig
    paths: tuple[str, ...] = ()

    @classmethod
    def of(cls, corpus: Corpus) -> DatasetInfo:
        """Return the description of a text."""
        names = tuple(map(str, corpus.paths))
        first = names[0] if names else ""
        return cls(first, corpus.sha256, len(corpus), corpus.config, names if len(names) > 1 else ())

    @property
    def names(self) -> tuple[str, ...]:
        """All files as given on the command line; empty for a string."""
        return self.paths or ((self.path,) if self.path else ())

    @property
    def is_in_files(self) -> bool:
        """Whether the text can be read again, because it came from neither standard input nor a string."""
        return bool(self.names) and str(STANDARD_INPUT) not in self.names

    @property
    def source(self) -> str:
        """A short description of the files."""
        return describe_paths(self.names) if self.names else "a string in Python"


@dataclass(frozen=True)
class EvalResult:
    """The score on the validation set when the checkpoint was saved. Infinite scores are None.

    Attributes:
        characters: the number of scored characters.
        impossible_share: the fraction of characters that had probability 0.
        split: the split in percent, such as 90/10/0.
        rule: the scoring rule, such as `static, full`.
    """

    bits_per_char: float | None
    nats_per_char: float | None
    characters: int
    impossible_share: float
    split: str
    rule: str = "static, full"

    def __str__(self) -> str:
        how = f"{self.characters:,} characters, split {self.split}, {self.rule}"
        if self.bits_per_char is None or self.nats_per_char is None:
            return f"infinite: {100 * self.impossible_share:.1f}% have probability 0; {how}"
        return f"{self.bits_per_char:.4f} bits/char ({self.nats_per_char:.4f} nats); {how}"


@dataclass(frozen=True)
class ComputeInfo:
    """The hardware settings of a network's training, on which the last bits of the weights may depend.

    Attributes:
        instruction_set: the processor's instruction set that PyTorch used.
        threads: all numbers of threads that training steps used.
        precision: the precision of matrix products, such as bfloat16.
    """

    instruction_set: str
    threads: tuple[int, ...]
    precision: str

    def __str__(self) -> str:
        threads = " and ".join(map(str, self.threads)) + (" thread" if self.threads == (1,) else " threads")
        return f"{self.instruction_set}, {threads}, {self.precision}"


@dataclass(frozen=True)
class Metadata:
    """The origin of a model.

    Attributes:
        text: the text the model was trained on.
        fit_seconds: the time of training or counting, including validation.
        device: the device of training.
        validation: the validation score, if there is one.
        training: the settings of a network's training.
        step: the number of training steps of a network.
        command: the command line.
        compute: the hardware settings of a network's training.
        versions: the versions of charrnn, torch and Python.
    """

    text: DatasetInfo
    fit_seconds: float
    device: str
    validation: EvalResult | None = None
    training: TrainingConfig | None = None
    step: int | None = None
    command: tuple[str, ...] = ()
    compute: ComputeInfo | None = None
    versions: dict[str, str] = field(default_factory=software_versions)


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of training in numbers; weights, moments, states and random generators are stored as tensors.

    Attributes:
        model: the shape and number of the networks.
        with_ngram: whether the networks will be mixed with an n-gram model.
        finished: the number of networks that are finished.
        steps_of_finished: the number of steps of the finished networks.
        number: the number of steps of the current network.
        due: whether the current network still has to be validated after its last step.
        plan: planned steps, steps between validations, characters per validation; None while the speed is measured.
        best_step: the step with the best validation score so far.
        best_nats: the total nats of the best score; None if nothing was scored.
        best_characters: the number of characters of the best score.
        best_impossible: the number of characters of the best score that had probability 0.
        seconds: the training time so far.
        halvings: the number of times that the learning rate was halved because the loss diverged.
        earlier_plans: for each earlier plan, the step until which it was valid, and its number of steps.
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
    earlier_plans: tuple[tuple[int, ...], ...] = ()

    def check(self) -> None:
        """Raise ValueError with the name of the first number that is out of range."""
        steps, validate_every, val_characters = self._plan
        for name, value, low, high in (
            ("finished", self.finished, 0, self.model.networks - 1),
            ("steps_of_finished", self.steps_of_finished, 0, MAX_EXACT_INTEGER),
            ("plan: steps", steps, 1, MAX_INT),
            ("plan: validate_every", validate_every, 1, MAX_INT),
            ("plan: val_characters", val_characters, 0, MAX_EXACT_INTEGER),
            ("number", self.number, 1, steps),
            ("best_step", self.best_step, 1, self.number),
            ("best_nats", self.best_nats or 0, 0, MAX_EXACT_INTEGER),
            ("best_characters", self.best_characters, self.best_nats is not None, MAX_EXACT_INTEGER),
            ("best_impossible", self.best_impossible, 0, self.best_characters),
            ("seconds", self.seconds, 0, MAX_EXACT_INTEGER),
            ("halvings", self.halvings, 0, MAX_HALVINGS),
        ):
            if not low <= value <= high:
                raise ValueError(f"progress.{name}: expected a number from {low:d} to {high}, found {value!r:.50}")

        last = 0
        for pair in self.earlier_plans:
            if len(pair) != 2 or not last < pair[0] <= min(self.number, pair[1], MAX_INT):
                raise ValueError(f"progress.earlier_plans: expected ascending steps of plans, found {pair!r:.50}")
            last = pair[0]

    @property
    def earlier(self) -> tuple[tuple[int, int], ...]:
        """The earlier plans as pairs; call `check` first."""
        return tuple((until, steps) for until, steps in self.earlier_plans)

    @property
    def _plan(self) -> tuple[int, int, int]:
        """The plan; without a plan, the one with the widest limits."""
        if self.plan is None:
            return MAX_INT, 1, 0
        if len(self.plan) != 3:
            raise ValueError(f"progress.plan: expected 3 numbers, found {len(self.plan)}")
        return self.plan[0], self.plan[1], self.plan[2]


def from_json(key: str, value: Any, kind: Any) -> Any:
    """Convert a JSON value to a type: objects to dataclasses, arrays to tuples. Fields with defaults may be missing.

    Args:
        key: the name of the value in error messages.
        value: the value returned by `json.loads`.
        kind: the type: a dataclass, T | None, dict[str, T], tuple[T, ...], object, str, int, float or bool.

    Raises:
        ValueError: the value has another type, or a field of a dataclass is missing or unknown; the message has the
            key, the expected type and the actual value.
    """
    inner = typing.get_args(kind)
    if isinstance(kind, types.UnionType):  # T | None
        return None if value is None else from_json(key, value, inner[0])
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints, fields = typing.get_type_hints(kind), {spec.name: spec for spec in dataclasses.fields(kind)}
        for name in sorted(fields.keys() ^ value.keys()):
            if name not in fields:
                raise ValueError(f"{key}.{name:.50}: expected no such key, found {value[name]!r:.50}")
            if fields[name].default is fields[name].default_factory is dataclasses.MISSING:
                raise ValueError(f"{key}.{name}: expected {_type_name(hints[name])}, found none")
        return kind(**{name: from_json(f"{key}.{name}", item, hints[name]) for name, item in value.items()})
    if typing.get_origin(kind) is dict and isinstance(value, dict):
        return {name: from_json(f"{key}.{name}", item, inner[1]) for name, item in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(from_json(key, item, inner[0]) for item in value)
    # JSON may contain 1.0 as 1. Infinite numbers are not JSON, but Python reads them.
    is_real = kind is float and type(value) in (int, float) and math.isfinite(value)
    if is_real or kind is object or (type(value) is kind and kind is not float):
        return value
    raise ValueError(f"{key}: expected {_type_name(kind)}, found {value!r:.50}")


def _type_name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
