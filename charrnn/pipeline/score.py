"""A model on a text: what `charrnn score` finds out, and the library's `charrnn.score`."""

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
"""The part of a text that a model was fitted on as a whole: its score says nothing of other texts."""


@dataclass(frozen=True)
class LineScore:
    """A line of a text, scored where it stands, after all that comes before it.

    Attributes:
        line: its number in the text, from 1.
        score: of its characters; a line end is one.
        ids: (n,) the characters, without the line end.
    """

    line: int
    score: Score
    ids: NDArray[Any]


@dataclass(frozen=True)
class TextScore:
    """A text under a model.

    Attributes:
        split: what of the text was scored; it ends where the text does.
        static: the score of the model as it is.
        window: characters of a window, if it was scored in windows too.
        in_windows: that score.
        online: the score while it learns, if that was asked for.
        surprisals: (N,) nats of the characters, if lines were asked for.
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
        """The unit of quality: that of the static score."""
        return self.static.bits_per_char

    def lines(self) -> Iterator[LineScore]:
        """Its lines in their order, numbered as in the whole text; their scores add up to that of the text."""
        assert self.surprisals is not None
        ids, line_ends = self.split.text.ids, self.corpus.vocabulary.encode("\n", "skip")
        is_end, begin = np.isin(ids, line_ends), 0
        first = 1 + int(np.isin(self.corpus.ids[: len(self.corpus) - len(ids)], line_ends).sum())
        for number, end in enumerate((*(np.flatnonzero(is_end) + 1).tolist(), len(ids)), first):
            if begin < end:  # a text that ends with a line end has no line after it
                yield LineScore(number, Score.of(self.surprisals[begin:end]), ids[begin : end - int(is_end[end - 1])])
            begin = end

    def text_of(self, line: LineScore) -> str:
        """The characters of a line."""
        return self.corpus.vocabulary.decode(line.ids.tolist())

    def beginning(self, length: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The first characters, and the surprisal of each in nats."""
        text = self.split.text[:length]
        if self.surprisals is not None:
            return text.ids, self.surprisals[: len(text)]
        return text.ids, surprisals(self.model.model, text)

    def as_json(self) -> dict[str, Any]:
        """Under the names that all of charrnn's JSON uses."""
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
    """Score a text, or what the model was not fitted on of it.

    Args:
        model: the model.
        corpus: the text, in its vocabulary.
        config: what to score beside the text in one pass.
        find_training_text: used where the text may be a part of it.
        read_training_text: used where n-grams are counted again.
        bars: of everything that takes long.

    Raises:
        UsageError: the configuration asks for what the model cannot do.
        ModelError: nothing of the text is held out.
    """
    if config.online and not supports_online(model.model):
        raise UsageError(f"--online: {model.name} ({model.description}) cannot count on; try another model")
    if model.metadata.text.corpus.document_separator and (config.online or config.window):
        option = "--online" if config.online else f"--window {config.window}"
        raise UsageError(f"{option}: goes on through a text, and {model.name} reads documents; leave it out")
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
        # A file of n-grams holds no counts, so the text is counted again; a network does not need it.
        train = read_training_text(model).train if model.kind == "ngram" else text[:0]
        with bars("counting", "step") as counting, bars("learning", "char") as reading:
            online = evaluate_online(as_online_model(model.model, train.ids, counting, reading), text.ids)
    return TextScore(model, corpus, split, static, config.window, in_windows, online, nats)


def _split(model: Checkpoint, corpus: Corpus, find_training_text: FindTrainingText) -> EvalSplit:
    """What of the text to score: the end that is held out where it is a part of the training text, or all of it."""
    split = choose_split([model], corpus)
    if split.part != "all" or len(corpus) > model.metadata.text.characters:
        return split
    held_out = find_held_out(corpus.span, find_training_text(model))
    return held_out if len(held_out.text) else replace(held_out, text=corpus.span, part=TRAINED_ON)
