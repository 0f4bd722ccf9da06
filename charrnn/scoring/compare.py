"""Several models on the same held-out characters: one row each, numbers and a sample; knows nothing of tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from charrnn import __version__
from charrnn.checkpoint import Checkpoint
from charrnn.config import SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.recurrent import RecurrentModel
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import Progress, Score, evaluate, facts_of
from charrnn.text.corpus import Corpus


@dataclass(frozen=True)
class HeldOut:
    """Characters that none of the models was fitted on.

    Attributes:
        ids: (N,) the characters.
        split: the split of the text, such as 90/10/0.
        part: which part of it they are: test, validation, or all.
    """

    ids: NDArray[Any]
    split: str
    part: str


@dataclass(frozen=True)
class Row:
    """One model, measured.

    Attributes:
        checkpoint: the model.
        held_out: what it was scored on.
        score: statically, in one pass.
        chars_per_second: of scoring.
        sampling_chars_per_second: of writing one text.
        sample: written after the prime, which is not repeated.
        seed: of the sample.
    """

    checkpoint: Checkpoint
    held_out: HeldOut
    score: Score
    chars_per_second: float
    sampling_chars_per_second: float
    sample: str
    seed: int | None

    def as_json(self) -> dict[str, Any]:
        """The row under the names that all of charrnn's JSON uses."""
        return {
            **json_of(self.checkpoint),
            **asdict(facts_of(self.score, self.held_out.split)),
            "part": self.held_out.part,
            "chars_per_second": round(self.chars_per_second),
            "sampling_chars_per_second": round(self.sampling_chars_per_second),
            "sample": self.sample,
            "seed": self.seed,
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
                f"{fitted_on_it[0].name} and {one.name} split {corpus.path} differently, so what one of them was "
                "fitted on is held out for the other; fit them with the same fractions"
            )
    if not fitted_on_it:
        return HeldOut(corpus.ids, "0/0/100", "all")
    if len(corpus.test):
        return HeldOut(corpus.test, corpus.split, "test")
    if len(corpus.validation):
        return HeldOut(corpus.validation, corpus.split, "validation")
    raise ModelError(f"{first.name} was fitted on all of {corpus.path}, nothing is held out; say another --text")


def measure(
    checkpoint: Checkpoint,
    part: HeldOut,
    prime: str,
    config: SamplingConfig,
    unknown: str = "error",
    progress: Progress | None = None,
) -> Row:
    """Score one model and let it write.

    Args:
        checkpoint: the model.
        part: what to score.
        prime: what it writes after.
        config: how it writes.
        unknown: what to do with unknown characters of the prime, see Vocabulary.encode.
        progress: told the characters scored, and of how many.
    """
    # Made before anything is scored, so that a bad prime is told at once.
    characters = generate(checkpoint.model, checkpoint.vocabulary, config, prime, unknown)
    started = time.perf_counter()
    score = evaluate(checkpoint.model, part.ids, progress=progress)
    scored = time.perf_counter()
    sample = "".join(characters)
    written = time.perf_counter()
    return Row(
        checkpoint,
        part,
        score,
        len(part.ids) / (scored - started),
        config.length / (written - scored),
        sample,
        config.seed,
    )


def json_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is known of a checkpoint, under the names that all of charrnn's JSON uses; its validation score too."""
    model, facts = checkpoint.model, checkpoint.facts
    return {
        **(asdict(facts.validation) if facts.validation else {}),
        "checkpoint": str(checkpoint.path),
        "kind": checkpoint.kind,
        "model": checkpoint.description,
        "parameters": model.parameter_count if isinstance(model, RecurrentModel) else None,
        "entries": None if isinstance(model, RecurrentModel) else model.entries,
        "bytes": checkpoint.size,
        "fit_seconds": round(facts.fit_seconds, 3),
        "steps": facts.step,
        "seed": facts.training.seed if facts.training else None,
        "device": facts.device,
        "version": __version__,
    }
