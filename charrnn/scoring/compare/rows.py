"""The rows of `charrnn compare`: one model each, measured on the held-out characters that all of them are scored on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from charrnn import __version__
from charrnn.checkpoint import Checkpoint
from charrnn.checkpoint.metadata import EvalResult
from charrnn.config import NgramConfig, SamplingConfig
from charrnn.progress import Progress, ProgressBars, no_bar
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import Score, eval_result, evaluate
from charrnn.scoring.held_out import EvalSplit
from charrnn.scoring.novelty import Novelty, TrainingText
from charrnn.text.normalize import normalize_text

REPORT_EVERY = 100
"""Sampled characters between two calls of a progress callback."""


@dataclass(frozen=True)
class NoveltyReference:
    """What samples are compared with, to see how much of them is copied.

    Attributes:
        length: how many characters of each model are judged.
        held_out: the figures of as many held-out characters, or of all if there are fewer.
    """

    training: TrainingText
    length: int
    held_out: Novelty

    @classmethod
    def of(cls, split: EvalSplit, training: TrainingText, length: int) -> NoveltyReference:
        """The reference for samples of so many characters."""
        return cls(training, length, training.judge(split.text.ids[:length]))


@dataclass(frozen=True)
class Row:
    """One model, measured.

    Attributes:
        score: statically, in one pass, or document by document.
        chars_per_second: of scoring.
        sampling_chars_per_second: of generating one text.
        sample: generated after the prime, which is not repeated.
        seed: of the sample.
        novelty: of what it generated, the sample and more, if that was judged.
        held_out_novelty: of as much held-out text.
        is_baseline: whether it was made for the comparison alone, and has no file.
    """

    checkpoint: Checkpoint
    split: EvalSplit
    score: Score
    chars_per_second: float
    sampling_chars_per_second: float
    sample: str
    seed: int | None
    novelty: Novelty | None = None
    held_out_novelty: Novelty | None = None
    is_baseline: bool = False

    @property
    def result(self) -> EvalResult:
        """The score with its split and its rule."""
        return eval_result(self.score, self.split.split, documents=self.split.text.documents is not None)

    @property
    def can_be_infinite(self) -> bool:
        """Whether the model gave a character probability 0, or would give it to another one."""
        config = getattr(self.checkpoint.model, "config", None)
        return self.score.impossible > 0 or (isinstance(config, NgramConfig) and not config.method.is_smoothed)


@dataclass(frozen=True)
class OnlineRow:
    """A model or a compressor that learns while it reads, measured.

    Attributes:
        label: what it is.
        how: how it learns; of a compressor that is not installed, how to install it.
        score: of the text; None where it is not installed.
        seconds: that it took, counting the training part again or compressing it included.
        split: what it was scored on, or the beginning of that.
    """

    label: str
    how: str
    score: Score | None
    seconds: float
    split: EvalSplit

    @property
    def result(self) -> EvalResult | None:
        """The score with its split and its rule."""
        return eval_result(self.score, self.split.split, len(self.split.text), online=True) if self.score else None


def best_of(rows: Iterable[Row], kind: str) -> Row | None:
    """The best model of a kind, if there is one; of n-grams one that gives every character a probability."""
    candidates = (row for row in rows if row.checkpoint.kind == kind and not row.can_be_infinite)
    return min(candidates, key=lambda row: row.score.nats_per_char, default=None)


def measure(
    checkpoint: Checkpoint,
    split: EvalSplit,
    prime: str,
    config: SamplingConfig,
    unknown: str = "error",
    reference: NoveltyReference | None = None,
    bars: ProgressBars = no_bar,
) -> Row:
    """Score one model and let it generate a text that continues `prime`; for `unknown` see Vocabulary.encode.

    With a reference to judge what it copies, it generates as much as that needs, and the sample is the beginning.
    """
    length = max(config.length, reference.length if reference else 0)
    # Made before anything is scored, so that a bad prime is an error at once.
    prime = normalize_text(prime, checkpoint.metadata.text.corpus)
    characters = generate(
        checkpoint.model, checkpoint.vocabulary, replace(config, length=length), prime, unknown, split.text.documents
    )
    with bars(f"scoring {checkpoint.name}", "char") as scoring:
        started = time.perf_counter()
        score = evaluate(checkpoint.model, split.text, progress=scoring)
        scored = time.perf_counter()
    with bars(f"{checkpoint.name} writes", "char") as sampling:
        sampling_started = time.perf_counter()
        sample = list(_reported(characters, length, sampling))
        sampled = time.perf_counter()
    novelty = None
    if reference:
        novelty = reference.training.judge(checkpoint.vocabulary.encode("".join(sample[: reference.length])))
    return Row(
        checkpoint,
        split,
        score,
        chars_per_second=len(split.text) / (scored - started),
        sampling_chars_per_second=len(sample) / (sampled - sampling_started),
        sample="".join(sample[: config.length]),
        seed=config.seed,
        novelty=novelty,
        held_out_novelty=reference.held_out if reference else None,
    )


def _reported(characters: Iterable[str], length: int, progress: Progress) -> Iterator[str]:
    for done, character in enumerate(characters, 1):
        yield character
        if done % REPORT_EVERY == 0:
            progress(done, length)


def checkpoint_summary(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is known of a checkpoint, under the names that all of charrnn's JSON uses; its validation score too."""
    model, facts = checkpoint.model, checkpoint.metadata
    return {
        **(asdict(facts.validation) if facts.validation else {}),
        "checkpoint": str(checkpoint.path),
        "kind": checkpoint.kind,
        "model": checkpoint.description,
        "parameters": getattr(model, "parameter_count", None),
        "entries": getattr(model, "entries", None),
        "bytes": checkpoint.size,
        "fit_seconds": round(facts.fit_seconds, 3),
        "steps": facts.step,
        "seed": facts.training.seed if facts.training else None,
        "device": facts.device,
        "version": __version__,
    }
