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
from charrnn.config import LARGEST_INTEGER, CorpusConfig, ModelConfig, TrainingConfig
from charrnn.text.corpus import Corpus
from charrnn.text.sources import described

MOST = 2**53
"""Of characters, steps or seconds: what a float counts."""
MOST_HALVINGS = 3
"""Of the learning rate, when the loss explodes; then it is something else."""


def versions() -> dict[str, str]:
    """Of what a result may depend on."""
    return {"charrnn": __version__, "torch": torch.__version__, "python": platform.python_version()}


@dataclass(frozen=True)
class TextFacts:
    """Which text a model was fitted on, and how it was read.

    Attributes:
        path: as it was given on the command line; of several files the first, of standard input `-`.
        sha256: of their bytes, see Corpus.
        characters: how many there are.
        corpus: encoding and split.
        paths: all files, where there are several.
    """

    path: str
    sha256: str
    characters: int
    corpus: CorpusConfig
    paths: tuple[str, ...] = ()

    @classmethod
    def of(cls, corpus: Corpus) -> TextFacts:
        """Those of a text that was read."""
        names = tuple(map(str, corpus.paths))
        return cls(names[0], corpus.sha256, len(corpus), corpus.config, names if len(names) > 1 else ())

    @property
    def names(self) -> tuple[str, ...]:
        """All files, as they were given."""
        return self.paths or (self.path,)

    @property
    def source(self) -> str:
        """The files in a few words."""
        return described(self.names)


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

    def __str__(self) -> str:
        how = f"{self.characters:,} characters, split {self.split}, {self.rule}"
        if self.bits_per_char is None or self.nats_per_char is None:
            return f"infinite: {100 * self.impossible_share:.1f}% have probability 0; {how}"
        return f"{self.bits_per_char:.4f} bits per character ({self.nats_per_char:.4f} nats); {how}"


@dataclass(frozen=True)
class ComputeFacts:
    """What a network was trained with on its device, on which the last bits of its weights may depend.

    Attributes:
        instruction_set: of the processor, as PyTorch used it.
        threads: all numbers of threads that steps were taken with.
        precision: of matrix products, such as bfloat16.
    """

    instruction_set: str
    threads: tuple[int, ...]
    precision: str

    def __str__(self) -> str:
        threads = " and ".join(map(str, self.threads)) + (" thread" if self.threads == (1,) else " threads")
        return f"{self.instruction_set}, {threads}, {self.precision}"


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
        compute: what a network was trained with.
        versions: of charrnn, torch and Python.
    """

    text: TextFacts
    fit_seconds: float
    device: str
    validation: ScoreFacts | None = None
    training: TrainingConfig | None = None
    step: int | None = None
    command: tuple[str, ...] = ()
    compute: ComputeFacts | None = None
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
        earlier_plans: until which step each plan before held, and its number of steps.
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
        """Raise ValueError at the first number that no training has; the message names it."""
        steps, validate_every, val_characters = self._plan
        for name, found, low, high in (
            ("finished", self.finished, 0, self.model.networks - 1),
            ("steps_of_finished", self.steps_of_finished, 0, MOST),
            ("plan: steps", steps, 1, LARGEST_INTEGER),
            ("plan: validate_every", validate_every, 1, LARGEST_INTEGER),
            ("plan: val_characters", val_characters, 0, MOST),
            ("number", self.number, 1, steps),
            ("best_step", self.best_step, 1, self.number),
            ("best_nats", self.best_nats or 0, 0, MOST),
            ("best_characters", self.best_characters, self.best_nats is not None, MOST),
            ("best_impossible", self.best_impossible, 0, self.best_characters),
            ("seconds", self.seconds, 0, MOST),
            ("halvings", self.halvings, 0, MOST_HALVINGS),
        ):
            if not low <= found <= high:
                raise ValueError(f"progress.{name}: expected a number from {low:d} to {high}, found {found!r:.50}")

        last = 0
        for pair in self.earlier_plans:
            if len(pair) != 2 or not last < pair[0] <= min(self.number, pair[1], LARGEST_INTEGER):
                raise ValueError(f"progress.earlier_plans: expected ascending steps of plans, found {pair!r:.50}")
            last = pair[0]

    @property
    def earlier(self) -> tuple[tuple[int, int], ...]:
        """`earlier_plans`, after `check`."""
        return tuple((until, steps) for until, steps in self.earlier_plans)

    @property
    def _plan(self) -> tuple[int, int, int]:
        """Of a training that has none yet, one that says nothing."""
        if self.plan is None:
            return LARGEST_INTEGER, 1, 0
        if len(self.plan) != 3:
            raise ValueError(f"progress.plan: expected 3 numbers, found {len(self.plan)}")
        return self.plan[0], self.plan[1], self.plan[2]


def restore(key: str, value: Any, kind: Any) -> Any:
    """What `kind` says from what JSON gives: dataclasses from objects, tuples from lists; defaults may be left out.

    Raises:
        ValueError: the value is of another type, or a dataclass lacks a field or has no such one; the message names the
            key, what was expected and what was found.
    """
    inner = typing.get_args(kind)
    if isinstance(kind, types.UnionType):  # T | None
        return None if value is None else restore(key, value, inner[0])
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints, fields = typing.get_type_hints(kind), {spec.name: spec for spec in dataclasses.fields(kind)}
        for name in sorted(fields.keys() ^ value.keys()):
            if name not in fields:
                raise ValueError(f"{key}.{name:.50}: expected no such key, found {value[name]!r:.50}")
            if fields[name].default is fields[name].default_factory is dataclasses.MISSING:
                raise ValueError(f"{key}.{name}: expected {_called(hints[name])}, found none")
        return kind(**{name: restore(f"{key}.{name}", one, hints[name]) for name, one in value.items()})
    if typing.get_origin(kind) is dict and isinstance(value, dict):
        return {name: restore(f"{key}.{name}", one, inner[1]) for name, one in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(restore(key, one, inner[0]) for one in value)
    # JSON may write 1.0 as 1; and it has no infinite numbers, so none may come out of it.
    is_real = kind is float and type(value) in (int, float) and math.isfinite(value)
    if is_real or kind is object or (type(value) is kind and kind is not float):
        return value
    raise ValueError(f"{key}: expected {_called(kind)}, found {value!r:.50}")


def _called(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
