"""The rows of `charrnn compare`: the measurements of one model each, all on the same held-out characters."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from charrnn import __version__
from charrnn.checkpoint import Checkpoint
from charrnn.checkpoint.format import is_mean
from charrnn.checkpoint.metadata import EvalResult
from charrnn.config import NgramConfig, SamplingConfig
from charrnn.models.interpolated import Network
from charrnn.progress import Progress, ProgressBars, no_bar
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import Score, eval_result, evaluate
from charrnn.scoring.held_out import EvalSplit
from charrnn.scoring.novelty import Novelty, TrainingText
from charrnn.text.normalize import normalize_text

REPORT_EVERY = 100
"""Number of sampled characters between two calls of the progress callback."""


@dataclass(frozen=True)
class NoveltyReference:
    """The training text to look for copies in, and the novelty of held-out text as a reference.

    Attributes:
        training: the training text.
        length: number of sampled characters to judge for each model.
        held_out: the novelty of the same number of held-out characters, or of all if there are fewer.
    """

    training: TrainingText
    length: int
    held_out: Novelty

    @classmethod
    def of(cls, split: EvalSplit, training: TrainingText, length: int) -> NoveltyReference:
        """Return the reference for samples of `length` characters."""
        return cls(training, length, training.judge(split.text.ids[:length]))


@dataclass(frozen=True)
class Row:
    """The measurements of one model.

    Attributes:
        checkpoint: the model.
        split: the held-out characters that were scored.
        score: the static score, of one pass or document by document.
        chars_per_second: scoring speed.
        sampling_chars_per_second: sampling speed, for one text at a time.
        sample: generated text, without the prompt.
        seed: seed of the sample.
        novelty: novelty of the generated text (the sample and more); None if it was not judged.
        held_out_novelty: novelty of held-out text of the same length.
        is_baseline: whether the model was made only for the comparison, and has no file.
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
        """The score with its split and evaluation rule."""
        return eval_result(self.score, self.split.split, documents=self.split.text.documents is not None)

    @property
    def can_be_infinite(self) -> bool:
        """Whether the model assigns, or could assign, probability 0 to a character."""
        config = getattr(self.checkpoint.model, "config", None)
        return self.score.impossible > 0 or (isinstance(config, NgramConfig) and not config.method.is_smoothed)


@dataclass(frozen=True)
class OnlineRow:
    """The measurements of one adaptive model or compressor.

    Attributes:
        label: description of the model, or name of the compressor.
        how: how it adapts; for a missing compressor, how to install it.
        score: the online score; None if the compressor is not installed.
        seconds: total time, including counting or compressing the training part.
        split: the held-out characters, of which at least the beginning was scored.
    """

    label: str
    how: str
    score: Score | None
    seconds: float
    split: EvalSplit

    @property
    def result(self) -> EvalResult | None:
        """The score with its split and evaluation rule; None if there is no score."""
        return eval_result(self.score, self.split.split, len(self.split.text), online=True) if self.score else None


def best_of(rows: Iterable[Row], kind: str) -> Row | None:
    """Return the row of the best model of a kind that gives every character a probability; None if there is none.

    A network with n-gram embeddings counts only where there is no other: it would not be a network against n-grams.
    """
    candidates = (row for row in rows if row.checkpoint.kind == kind and not row.can_be_infinite)
    return min(candidates, key=lambda row: (knows_ngrams(row.checkpoint), row.score.nats_per_char), default=None)


def knows_ngrams(checkpoint: Checkpoint) -> bool:
    """Return whether a model is a network with n-gram embeddings."""
    model = checkpoint.model
    return isinstance(model, Network) and not is_mean(model) and model.config.ngram_embedding > 0


def measure(
    checkpoint: Checkpoint,
    split: EvalSplit,
    prime: str,
    config: SamplingConfig,
    unknown: str = "error",
    reference: NoveltyReference | None = None,
    bars: ProgressBars = no_bar,
) -> Row:
    """Score one model and sample from it.

    Args:
        checkpoint: the model.
        split: the held-out characters to score.
        prime: the prompt that the sample continues.
        config: sampling settings.
        unknown: what to do with characters that the vocabulary lacks, see `Vocabulary.encode`.
        reference: judge the novelty of `reference.length` sampled characters, which begin with the sample.
        bars: progress bars.
    """
    length = max(config.length, reference.length if reference else 0)
    # Before scoring, so that a bad prompt raises an error immediately.
    prime = normalize_text(prime, checkpoint.metadata.text.corpus)
    characters = generate(
        checkpoint.model, checkpoint.vocabulary, replace(config, length=length), prime, unknown, split.text.documents
    )
    with bars(f"scoring {checkpoint.name}", "char") as scoring:
        started = time.perf_counter()
        score = evaluate(checkpoint.model, split.text, progress=scoring)
        scoring_seconds = time.perf_counter() - started
    with bars(f"sampling from {checkpoint.name}", "char") as sampling:
        started = time.perf_counter()
        sample = list(_reported(characters, length, sampling))
        sampling_seconds = time.perf_counter() - started
    novelty = None
    if reference:
        novelty = reference.training.judge(checkpoint.vocabulary.encode("".join(sample[: reference.length])))
    return Row(
        checkpoint,
        split,
        score,
        chars_per_second=len(split.text) / scoring_seconds,
        sampling_chars_per_second=len(sample) / sampling_seconds,
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
    """Return a checkpoint's metadata and validation score, under the keys that all of charrnn's JSON uses."""
    model, metadata = checkpoint.model, checkpoint.metadata
    return {
        **(asdict(metadata.validation) if metadata.validation else {}),
        "checkpoint": str(checkpoint.path),
        "kind": checkpoint.kind,
        "model": checkpoint.description,
        "parameters": getattr(model, "parameter_count", None),
        "entries": getattr(model, "entries", None),
        "bytes": checkpoint.size,
        "fit_seconds": round(metadata.fit_seconds, 3),
        "steps": metadata.step,
        "seed": metadata.training.seed if metadata.training else None,
        "device": metadata.device,
        "version": __version__,
    }
