"""Several models on the same held-out characters: one row each, numbers and a sample; knows nothing of tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from numpy.typing import NDArray

from charrnn import __version__
from charrnn.checkpoint import Checkpoint
from charrnn.config import NgramConfig, SamplingConfig
from charrnn.errors import ModelError
from charrnn.sampling.generate import generate
from charrnn.scoring.compare.baselines import Compared
from charrnn.scoring.evaluate import Score, evaluate, facts_of
from charrnn.scoring.novelty import Novelty, TrainingText
from charrnn.scoring.surprisal import Progress
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Documents
from charrnn.text.normalize import prepared

TOLD_EVERY = 100
"""Characters after which one is told how many are written."""


@dataclass(frozen=True)
class HeldOut:
    """Characters that none of the models was fitted on.

    Attributes:
        ids: (N,) the characters.
        split: the split of the text, such as 90/10/0.
        part: which part of it they are: test, validation, or all.
        documents: what tells documents apart, if each is scored from the beginning.
    """

    ids: NDArray[Any]
    split: str
    part: str
    documents: Documents | None = None

    @property
    def rule(self) -> str:
        """How it is scored, in words."""
        return "static, each document from the beginning" if self.documents else "static, one full pass"


@dataclass(frozen=True)
class Copying:
    """How models are judged for what they copy.

    Attributes:
        training: the text that all of them were fitted on.
        length: how many characters are judged.
        held_out: the same figures of as many held-out characters, or of all if there are fewer.
    """

    training: TrainingText
    length: int
    held_out: Novelty

    @classmethod
    def beside(cls, part: HeldOut, training: TrainingText, length: int) -> Copying:
        """What held-out characters have in common with the training text, to put beside what models write."""
        return cls(training, length, training.judge(part.ids[:length]))


@dataclass(frozen=True)
class Row:
    """One model, measured.

    Attributes:
        checkpoint: the model.
        held_out: what it was scored on.
        score: statically, in one pass, or document by document.
        chars_per_second: of scoring.
        sampling_chars_per_second: of writing one text.
        sample: written after the prime, which is not repeated.
        seed: of the sample.
        novelty: of what it wrote, the sample and more, if that was judged.
        held_out_novelty: of as much held-out text.
        is_baseline: whether it was made for the comparison alone, and has no file.
    """

    checkpoint: Compared
    held_out: HeldOut
    score: Score
    chars_per_second: float
    sampling_chars_per_second: float
    sample: str
    seed: int | None
    novelty: Novelty | None = None
    held_out_novelty: Novelty | None = None
    is_baseline: bool = False

    def as_json(self) -> dict[str, Any]:
        """The row under the names that all of charrnn's JSON uses; a baseline is in no checkpoint."""
        known = json_of(self.checkpoint)
        return {
            **known,
            "checkpoint": None if self.is_baseline else known["checkpoint"],
            "is_baseline": self.is_baseline,
            **asdict(facts_of(self.score, self.held_out.split, documents=self.held_out.documents is not None)),
            "part": self.held_out.part,
            "chars_per_second": round(self.chars_per_second),
            "sampling_chars_per_second": round(self.sampling_chars_per_second),
            "sample": self.sample,
            "seed": self.seed,
            "novelty": self.novelty and self.novelty.as_json(),
            "held_out_novelty": self.held_out_novelty and self.held_out_novelty.as_json(),
        }


def held_out(checkpoints: Sequence[Checkpoint], corpus: Corpus) -> HeldOut:
    """The part of a text that can be compared on.

    For the text that the models were fitted on, its test part, or else its validation part; for another, all of it.

    Raises:
        ModelError: vocabularies differ, or a model may have been fitted on some of the characters.
    """
    first = checkpoints[0]
    for other in checkpoints[1:]:
        if other.vocabulary != first.vocabulary:
            raise ModelError(
                f"{first.name} and {other.name} have different vocabularies "
                f"({len(first.vocabulary)} and {len(other.vocabulary)} characters), so their bits per character "
                "are not of the same thing; compare models that were fitted on the same text"
            )
    fitted_on_it = [one for one in checkpoints if one.facts.text.sha256 == corpus.sha256]
    for one in fitted_on_it:
        if one.facts.text.corpus != fitted_on_it[0].facts.text.corpus:
            raise ModelError(
                f"{fitted_on_it[0].name} and {one.name} read or split {corpus.source} differently, so what one of them "
                "was fitted on is held out for the other; fit them with the same options"
            )
    if not fitted_on_it:
        return HeldOut(corpus.ids, "0/0/100", "all", corpus.documents)
    if len(corpus.test):
        return HeldOut(corpus.test, corpus.split, "test", corpus.documents)
    if len(corpus.validation):
        return HeldOut(corpus.validation, corpus.split, "validation", corpus.documents)
    raise ModelError(f"{first.name} was fitted on all of {corpus.source}, nothing is held out; say another --text")


def best_of(rows: Iterable[Row], kind: str) -> Row | None:
    """The best model of a kind, if there is one; of n-grams one that gives every character a probability."""
    found = (row for row in rows if row.checkpoint.kind == kind and not _may_be_infinite(row))
    return min(found, key=lambda row: row.score.nats_per_char, default=None)


def _may_be_infinite(row: Row) -> bool:
    """Whether it gave a character probability 0, or would give it to another one."""
    config = getattr(row.checkpoint.model, "config", None)
    return row.score.impossible > 0 or (isinstance(config, NgramConfig) and not config.method.is_smoothed)


def measure(
    checkpoint: Compared,
    part: HeldOut,
    prime: str,
    config: SamplingConfig,
    unknown: str = "error",
    copying: Copying | None = None,
    scoring: Progress | None = None,
    writing: Progress | None = None,
) -> Row:
    """Score one model and let it write.

    Args:
        checkpoint: the model.
        part: what to score.
        prime: what it writes after.
        config: how it writes.
        unknown: what to do with unknown characters of the prime, see Vocabulary.encode.
        copying: how to judge what it copies; it writes as much as that needs, and the sample is the beginning.
        scoring: told the characters scored, and of how many.
        writing: told the characters written, and of how many.
    """
    length = max(config.length, copying.length if copying else 0)
    # Made before anything is scored, so that a bad prime is told at once.
    before = prepared(prime, checkpoint.facts.text.corpus)
    characters = generate(
        checkpoint.model, checkpoint.vocabulary, replace(config, length=length), before, unknown, part.documents
    )
    started = time.perf_counter()
    score = evaluate(checkpoint.model, part.ids, progress=scoring, documents=part.documents)
    scored = time.perf_counter()
    written = list(_told(characters, length, writing))
    ended = time.perf_counter()
    novelty = None
    if copying:
        novelty = copying.training.judge(checkpoint.vocabulary.encode("".join(written[: copying.length])))
    return Row(
        checkpoint,
        part,
        score,
        len(part.ids) / (scored - started),
        len(written) / (ended - scored),
        "".join(written[: config.length]),
        config.seed,
        novelty,
        copying.held_out if copying else None,
    )


def _told(characters: Iterable[str], length: int, progress: Progress | None) -> Iterator[str]:
    for done, character in enumerate(characters, 1):
        yield character
        if progress and done % TOLD_EVERY == 0:
            progress(done, length)


def json_of(checkpoint: Compared) -> dict[str, Any]:
    """What is known of a checkpoint, under the names that all of charrnn's JSON uses; its validation score too."""
    model, facts = checkpoint.model, checkpoint.facts
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
