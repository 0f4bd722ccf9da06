"""One model on one text: what `charrnn score` finds out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.checkpoint.metadata import ScoreFacts
from charrnn.cli.shared.terminal import progress
from charrnn.cli.shared.texts import read_fitted_on
from charrnn.scoring.compare.rows import HeldOut, held_out, json_of
from charrnn.scoring.evaluate import Score, evaluate, evaluate_online, evaluate_windows, facts_of
from charrnn.scoring.held_out import unseen_in
from charrnn.scoring.lines import LineScore, by_line
from charrnn.scoring.online import learning
from charrnn.scoring.surprisal import surprisals
from charrnn.text.corpus import Corpus

FITTED = "train"
"""The part of a text that a model was fitted on as a whole: its score says nothing of other texts."""


@dataclass(frozen=True)
class Scored:
    """A text under a model.

    Attributes:
        model: the model.
        corpus: the text.
        part: what of it was scored; it ends where the text does.
        static: the score of the model as it is.
        window: characters of a window, if it was scored in windows too.
        in_windows: that score.
        online: the score while it learns, if that was asked for.
        surprisals: (N,) nats of the characters, if lines were asked for.
    """

    model: Checkpoint
    corpus: Corpus
    part: HeldOut
    static: Score
    window: int | None = None
    in_windows: Score | None = None
    online: Score | None = None
    surprisals: NDArray[np.float64] | None = None

    def lines(self) -> Iterator[LineScore]:
        """Its lines, numbered as in the whole text."""
        assert self.surprisals is not None
        found = self.corpus.vocabulary.encode("\n", "skip").tolist()
        line_end = found[0] if found else None
        before = self.corpus.ids[: len(self.corpus) - len(self.part.ids)]
        first = 1 + int((before == line_end).sum())
        return by_line(self.surprisals, self.part.ids, line_end, first)

    def text_of(self, line: LineScore) -> str:
        """The characters of a line."""
        return self.corpus.vocabulary.decode(line.ids.tolist())

    def beginning(self, length: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The first characters, and the surprisal of each in nats."""
        ids = self.part.ids[:length]
        if self.surprisals is not None:
            return ids, self.surprisals[: len(ids)]
        return ids, surprisals(self.model.model, ids, documents=self.part.documents)

    def as_json(self) -> dict[str, Any]:
        """Under the names that all of charrnn's JSON uses."""
        split, documents = self.part.split, self.part.documents is not None
        result = {
            **json_of(self.model),
            **_json_of(self.static, facts_of(self.static, split, documents=documents)),
            "part": self.part.part,
            "text": self.corpus.source,
        }
        if self.in_windows:
            result["window"] = _json_of(self.in_windows, facts_of(self.in_windows, split, window=self.window))
        if self.online:
            result["online"] = _json_of(self.online, facts_of(self.online, split, online=True))
        if self.surprisals is not None:
            result["lines"] = [
                {
                    "line": one.line,
                    "characters": one.score.characters,
                    "bits": one.score.bits,
                    "bits_per_char": one.score.bits_per_char,
                    "nats_per_char": one.score.nats_per_char,
                    "perplexity": one.score.perplexity,
                    "text": self.text_of(one),
                }
                for one in self.lines()
            ]
        return result


def score_text(
    model: Checkpoint,
    corpus: Corpus,
    fitted_on: Callable[[], Corpus | None],
    window: int | None,
    is_online: bool,
    by_lines: bool,
) -> Scored:
    """Score a text, or what the model was not fitted on of it.

    Args:
        model: the model.
        corpus: the text, in its vocabulary.
        fitted_on: gives the text that it was fitted on, if it can be read.
        window: characters of windows, if it is to be scored in windows too.
        is_online: whether it is to be scored also while the model learns.
        by_lines: whether each character's surprisal is kept.
    """
    part = held_out([model], corpus)
    if part.part == "all" and len(corpus) <= model.facts.text.characters:
        unseen = unseen_in(corpus.ids, fitted_on())
        if unseen.begin == len(corpus):
            part = HeldOut(corpus.ids, unseen.split, FITTED, part.documents)
        else:
            part = HeldOut(corpus.ids[unseen.begin :], unseen.split, unseen.part, part.documents)
    found = None
    with progress("scoring", "char") as update:
        if by_lines:
            found = surprisals(model.model, part.ids, update, part.documents)
            static = Score.of(found)
        else:
            static = evaluate(model.model, part.ids, progress=update, documents=part.documents)
    in_windows = online = None
    if window:
        with progress("scoring windows", "char") as update:
            in_windows = evaluate_windows(model.model, part.ids, window, update)
    if is_online:
        online = _online(model, part.ids)
    return Scored(model, corpus, part, static, window, in_windows, online, found)


def _json_of(score: Score, facts: ScoreFacts) -> dict[str, Any]:
    return {**asdict(facts), "perplexity": score.perplexity}


def _online(model: Checkpoint, ids: NDArray[Any]) -> Score:
    """The score of a model that learns while it reads."""
    # A file of n-grams holds no counts, so the text is counted again; a network does not need it.
    train = read_fitted_on(model).train if model.kind == "ngram" else ids[:0]
    with progress("counting", "step") as counting, progress("learning", "char") as reading:
        return evaluate_online(learning(model.model, train, counting, reading), ids)
