"""What is copied: how much of a text stands word for word in the training text. Knows texts, not models.

A model that has learnt a text by heart writes well. So what it writes is put beside text that is held out, which shows
how much of a text stands in another one anyway.
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
"""Characters; of the runs that long in Tiny Shakespeare's held-out part, one in 400 stands in the training part."""
LONG_LINE = 20
"""Characters of a line that is too short to count as copied: names of speakers and the like."""
CURVE = (4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
"""Lengths of runs, for the curve."""
CHUNK_CHARS = 1 << 16
"""Characters that are looked up at a time."""
LARGE = 4_000_000
"""The characters of a text that takes longer than a second to index."""


@dataclass(frozen=True)
class Novelty:
    """How new a text is. Shares are from 0 to 1, and None where the text has nothing that they could be a share of.

    Attributes:
        characters: how many were judged; shares of texts of other lengths compare well, the longest copy does not.
        novel_10: the share of the text's runs of 10 characters, one from each place on, that are not in the training
            text; `novel_20` and `novel_40`: the same of 20 and of 40.
        longest_copy: how many characters the longest part has that stands verbatim in the training text.
        longest_copy_at: where it begins in the text, counted from 0.
        longest_copy_from: where it begins in the training text, at the first place if it stands there twice.
        known_words: the share of the text's words, each as often as it occurs, that are words of the training text,
            see words.py; `known_word_pairs`: the same of two words in a row.
        verbatim_lines: the share of the text's lines of more than LONG_LINE characters that are lines of the training
            text; a line stands between two line ends, so one that is cut off at the end of the text is none.
        curve: the share of novel runs, as above, for each length in CURVE.
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
        """The figures by their names; the curve's by the length of runs."""
        return {**asdict(self), "curve": dict(zip(map(str, CURVE), self.curve, strict=True))}


class TrainingText:
    """A text that others are judged against, any number of them.

    It is sorted once, which takes the memory that ContextIndex.build says (100 MB: 25 seconds of one shared core and
    1.5 GB, of which 0.9 GB are kept). To judge 100,000 characters then takes less than a second.
    """

    def __init__(self, ids: NDArray[Any], vocabulary: Vocabulary, progress: Progress | None = None) -> None:
        report = progress or (lambda done, total: None)
        self.vocabulary = vocabulary
        self.index = ContextIndex.build(ids, len(vocabulary), progress=lambda done, total: report(done, total + 1))
        self.words = Words.of(ids, letters_of(vocabulary))
        report(4, 4)

    def judge(self, ids: NDArray[Any]) -> Novelty:
        """How new another text, (N,), is."""
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
        """The pieces of a text, each with whether it belongs to a copy of LONG_COPY characters or more.

        They come LONG_COPY characters later than they were taken, when it is known.
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
                    first, at = waiting.popleft()
                    yield first, at < copied_to
        yield from ((piece, at < copied_to) for piece, at in waiting)

    def _matches(self, ids: NDArray[Any]) -> Ints:
        """(N, 3): the longest match that ends after each character, see ContextIndex.read."""
        matches, parts = np.array([self.index.empty]), []
        for begin in range(0, len(ids), CHUNK_CHARS):
            parts.append(self.index.read(ids[None, begin : begin + CHUNK_CHARS], matches)[0])
            matches = parts[-1][-1:]
        return np.concatenate(parts)

    def _are_verbatim(self, ids: NDArray[Any], lengths: Ints) -> NDArray[np.bool_]:
        """Of each long line whether its match is as long as it is, with the line ends on both sides."""
        ends = np.flatnonzero(np.isin(ids, self.vocabulary.encode("\n", unknown="skip")))
        sizes = np.diff(ends) - 1
        long = sizes > LONG_LINE
        verbatim: NDArray[np.bool_] = lengths[ends[1:][long]] >= sizes[long] + 2
        return verbatim


def index_training_text(corpus: Corpus, bars: ProgressBars = no_bar) -> TrainingText:
    """The training part of a text, made ready to be compared with others."""
    # The longest step is the first, so a bar that waits for its end would come too late for a large text.
    with bars(f"sorting {corpus.name}", "step", 0.0 if len(corpus.train) > LARGE else BAR_DELAY) as progress:
        return TrainingText(corpus.train.ids, corpus.vocabulary, progress)


def _mean(answers: NDArray[np.bool_]) -> float | None:
    return float(answers.mean()) if len(answers) else None
