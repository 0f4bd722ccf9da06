"""Novelty: how much of a text is copied verbatim from the training text. Independent of models.

A model that has memorized its training text generates fluent text. Held-out text is the reference: it shows how much
overlap is normal between two texts of the same kind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.models.ngram.longest.suffix_array import ContextIndex
from charrnn.models.ngram.trie import Ints
from charrnn.progress import BAR_DELAY, Progress, ProgressBars, no_bar
from charrnn.scoring.words import Words, letters_of
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary

LONG_COPY = 20
"""Length of the shortest marked copy, in characters; 1 in 400 such runs of held-out Tiny Shakespeare is a copy."""
LONG_LINE = 20
"""Maximum length of a line that is not checked for copying, in characters: names of speakers and the like."""
CURVE = (4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
"""Run lengths of the novelty curve, in characters."""
CHUNK_CHARS = 1 << 16
"""Number of characters looked up at a time."""
LARGE = 4_000_000
"""Length in characters above which indexing a text takes more than a second."""


@dataclass(frozen=True)
class Novelty:
    """The novelty of a text. Shares are from 0 to 1, or None if the text is too short to have one.

    Attributes:
        characters: number of characters judged. Shares are comparable between texts of different lengths, the longest
            copy is not.
        novel_10: share of the text's runs of 10 characters (one at each position) that do not occur in the training
            text; `novel_20` and `novel_40`: runs of 20 and 40.
        longest_copy: length in characters of the longest part that occurs verbatim in the training text.
        longest_copy_at: start of that part in the text, counted from 0.
        longest_copy_from: start of its first occurrence in the training text, counted from 0.
        known_words: share of the text's words that occur in the training text, counting repetitions; see words.py.
        known_word_pairs: the same share for pairs of consecutive words.
        verbatim_lines: share of the text's lines longer than LONG_LINE that are lines of the training text. A line has
            a line break on both sides, so the first and the last line do not count.
        curve: share of novel runs for each length in CURVE.
    """

    characters: int
    novel_10: float | None
    novel_20: float | None
    novel_40: float | None
    longest_copy: int
    longest_copy_at: int
    longest_copy_from: int
    known_words: float | None
    known_word_pairs: float | None
    verbatim_lines: float | None
    curve: tuple[float | None, ...] = (None,) * len(CURVE)

    def as_json(self) -> dict[str, Any]:
        """Return all values by name, and the curve's by run length."""
        return {**asdict(self), "curve": dict(zip(map(str, CURVE), self.curve, strict=True))}


class TrainingText:
    """An index of a training text, for judging the novelty of any number of texts.

    Building the index sorts the text: for 100 MB, that takes 25 seconds on one core and 1.5 GB of memory, of which
    0.9 GB stay in use (see ContextIndex.build). Judging 100,000 characters then takes less than a second.
    """

    def __init__(self, ids: NDArray[Any], vocabulary: Vocabulary, progress: Progress | None = None) -> None:
        report = progress or (lambda done, total: None)
        self.vocabulary = vocabulary
        self.index = ContextIndex.build(ids, len(vocabulary), progress=lambda done, total: report(done, total + 1))
        self.words = Words.of(ids, letters_of(vocabulary))
        report(4, 4)

    def judge(self, ids: NDArray[Any]) -> Novelty:
        """Measure the novelty of another text, (N,) ids."""
        if not len(ids):
            return Novelty(0, None, None, None, 0, 0, 0, None, None, None)
        matches = self._matches(ids)
        lengths = matches[:, 2]
        novel = {n: _mean(lengths[n - 1 :] < n) for n in CURVE}
        end = int(lengths.argmax())
        low, high, longest = matches[end].tolist()
        known_words, known_pairs = self.words.known(ids)
        return Novelty(
            characters=len(ids),
            novel_10=novel[10],
            novel_20=novel[20],
            novel_40=novel[40],
            longest_copy=longest,
            longest_copy_at=end + 1 - longest if longest else 0,
            longest_copy_from=int(self.index.places[low:high].min()) - longest,
            known_words=known_words,
            known_word_pairs=known_pairs,
            verbatim_lines=_mean(self._are_verbatim(ids, lengths)),
            curve=tuple(novel.values()),
        )

    def mark_copies(self, pieces: Iterable[str]) -> Iterator[tuple[str, bool]]:
        """Yield the pieces of a text, each with whether it is part of a copy of LONG_COPY or more characters.

        The output is LONG_COPY characters behind the input, because only then is the answer known.
        """
        match = np.array([self.index.empty])
        waiting: deque[tuple[str, int]] = deque()
        end = copied_to = 0
        for piece in pieces:
            waiting.append((piece, end))
            for token in self.vocabulary.encode(piece):
                match = self.index.read(np.array([[token]]), match)[:, 0]
                end += 1
                copied_to = end if match[0, 2] >= LONG_COPY else copied_to
                while waiting and waiting[0][1] + LONG_COPY <= end:
                    oldest, start = waiting.popleft()
                    yield oldest, start < copied_to
        yield from ((piece, start < copied_to) for piece, start in waiting)

    def _matches(self, ids: NDArray[Any]) -> Ints:
        """Return, (N, 3), the longest match that ends at each character, see ContextIndex.read."""
        matches, parts = np.array([self.index.empty]), []
        for begin in range(0, len(ids), CHUNK_CHARS):
            parts.append(self.index.read(ids[None, begin : begin + CHUNK_CHARS], matches)[0])
            matches = parts[-1][-1:]
        return np.concatenate(parts)

    def _are_verbatim(self, ids: NDArray[Any], lengths: Ints) -> NDArray[np.bool_]:
        """Return, for each long line, whether it occurs in the training text with the line breaks around it."""
        ends = np.flatnonzero(np.isin(ids, self.vocabulary.encode("\n", unknown="skip")))
        sizes = np.diff(ends) - 1
        long = sizes > LONG_LINE
        verbatim: NDArray[np.bool_] = lengths[ends[1:][long]] >= sizes[long] + 2
        return verbatim


def index_training_text(corpus: Corpus, bars: ProgressBars = no_bar) -> TrainingText:
    """Index the training part of a text."""
    # The first step is the longest, so for a large text the bar must not wait for the end of that step.
    with bars(f"indexing {corpus.name}", "step", 0.0 if len(corpus.train) > LARGE else BAR_DELAY) as progress:
        return TrainingText(corpus.train.ids, corpus.vocabulary, progress)


def _mean(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if len(flags) else None
