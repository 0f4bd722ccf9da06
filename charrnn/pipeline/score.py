"""Score a text with one model, for `charrnn score` and the Python API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.config import ScoreConfig
from charrnn.errors import UsageError
from charrnn.progress import ProgressBars, no_bar
from charrnn.scoring.compare.rows import checkpoint_summary
from charrnn.scoring.evaluate import Score, eval_result, evaluate, evaluate_online, evaluate_windows
from charrnn.scoring.held_out import EvalSplit, FindTrainingText, ReadTrainingText, choose_split, find_held_out
from charrnn.scoring.online import as_online_model, supports_online
from charrnn.scoring.surprisal import surprisals
from charrnn.text.corpus import Corpus

TRAINED_ON = "train"
"""Name of the part if the model was fitted on the whole text: such a score says nothing about other texts."""


@dataclass(frozen=True)
class LineScore:
    """A line of a text, scored in context: after all text before it.

    Attributes:
        line: line number in the text, counted from 1.
        score: score of its characters, including the line end.
        ids: (n,) its characters, without the line end.
    """

    line: int
    score: Score
    ids: NDArray[Any]


@dataclass(frozen=True)
class TextScore:
    """The score of a text under a model, N characters.

    Attributes:
        model: the model.
        corpus: the text.
        split: the part of the text that was scored; it ends with the text.
        static: the score of the model with fixed weights or counts.
        window: window length in characters, if windows were scored.
        in_windows: the score in independent windows.
        online: the score of the model while it adapts to the text, if requested.
        surprisals: (N,) surprisal of each character in nats, if lines were requested.
    """

    model: Checkpoint
    corpus: Corpus
    split: EvalSplit
    static: Score
    window: int | None = None
    in_windows: Score | None = None
    online: Score | None = None
    surprisals: NDArray[np.float64] | None = None

    @property
    def bits_per_char(self) -> float:
        """The static score in bits per character; lower is better."""
        return self.static.bits_per_char

    def lines(self) -> Iterator[LineScore]:
        """Yield the scored lines in order, numbered as in the whole text; their bits add up to those of the text."""
        assert self.surprisals is not None
        ids, line_ends = self.split.text.ids, self.corpus.vocabulary.encode("\n", "skip")
        is_end, begin = np.isin(ids, line_ends), 0
        first = 1 + int(np.isin(self.corpus.ids[: len(self.corpus) - len(ids)], line_ends).sum())
        for number, end in enumerate((*(np.flatnonzero(is_end) + 1).tolist(), len(ids)), first):
            if begin < end:  # a text that ends with a line end has no line after it
                yield LineScore(number, Score.of(self.surprisals[begin:end]), ids[begin : end - int(is_end[end - 1])])
            begin = end

    def text_of(self, line: LineScore) -> str:
        """Return the text of a line."""
        return self.corpus.vocabulary.decode(line.ids.tolist())

    def beginning(self, length: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the first `length` characters, (length,), and their surprisals in nats, (length,)."""
        text = self.split.text[:length]
        if self.surprisals is not None:
            return text.ids, self.surprisals[: len(text)]
        return text.ids, surprisals(self.model.model, text)

    def as_json(self) -> dict[str, Any]:
        """Return the scores with the keys of charrnn's JSON."""
        split, documents = self.split.split, self.split.text.documents is not None

        def result(score: Score, **rule: Any) -> dict[str, Any]:
            return {**asdict(eval_result(score, split, **rule)), "perplexity": score.perplexity}

        tables = {
            **checkpoint_summary(self.model),
            **result(self.static, documents=documents),
            "part": self.split.part,
            "text": self.corpus.source,
        }
        if self.in_windows:
            tables["window"] = result(self.in_windows, window=self.window)
        if self.online:
            tables["online"] = result(self.online, online=True)
        if self.surprisals is not None:
            tables["lines"] = [
                {
                    "line": line.line,
                    "characters": line.score.characters,
                    "bits": line.score.bits,
                    "bits_per_char": line.score.bits_per_char,
                    "nats_per_char": line.score.nats_per_char,
                    "perplexity": line.score.perplexity,
                    "text": self.text_of(line),
                }
                for line in self.lines()
            ]
        return tables


def score_text(
    model: Checkpoint,
    corpus: Corpus,
    config: ScoreConfig,
    find_training_text: FindTrainingText,
    read_training_text: ReadTrainingText,
    bars: ProgressBars = no_bar,
) -> TextScore:
    """Score a text, or the part of it that the model was not fitted on.

    Args:
        model: the model.
        corpus: the text, in the model's vocabulary.
        config: scores to compute in addition to the static one.
        find_training_text: returns the training text, or None; called if the text may be a part of it.
        read_training_text: returns the training text; called to count n-grams again.
        bars: makes progress bars.

    Raises:
        UsageError: the model does not support a requested score.
        ModelError: no part of the text is held out.
    """
    if config.online and not supports_online(model.model):
        raise UsageError(
            f"--online: {model.name} ({model.description}) does not support online scores; remove the option"
        )
    if model.metadata.text.corpus.document_separator and (config.online or config.window):
        option = "--online" if config.online else f"--window {config.window}"
        raise UsageError(
            f"{option}: needs running text, but {model.name} was trained on separate documents; remove the option"
        )
    split = _split(model, corpus, find_training_text)
    text, nats, in_windows, online = split.text, None, None, None
    with bars("scoring", "char") as progress:
        if config.lines:
            nats = surprisals(model.model, text, progress)
            static = Score.of(nats)
        else:
            static = evaluate(model.model, text, progress=progress)
    if config.window:
        with bars("scoring windows", "char") as progress:
            in_windows = evaluate_windows(model.model, text.ids, config.window, progress)
    if config.online:
        # An n-gram checkpoint has no counts, so its training text is counted again; networks do not need the text.
        train = read_training_text(model).train if model.kind == "ngram" else text[:0]
        with bars("counting", "step") as counting, bars("learning", "char") as reading:
            online = evaluate_online(as_online_model(model.model, train.ids, counting, reading), text.ids)
    return TextScore(model, corpus, split, static, config.window, in_windows, online, nats)


def _split(model: Checkpoint, corpus: Corpus, find_training_text: FindTrainingText) -> EvalSplit:
    """Choose the part of the text to score: the held-out end if it is part of the training text, else all of it."""
    split = choose_split([model], corpus)
    if split.part != "all" or len(corpus) > model.metadata.text.characters:
        return split
    held_out = find_held_out(corpus.span, find_training_text(model))
    return held_out if len(held_out.text) else replace(held_out, text=corpus.span, part=TRAINED_ON)
