"""Statistics of a text before training: one pass over its files, in bounded memory.

Computes numbers only; `warnings.py` has what they mean for training.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text.corpus import describe_split, split_bounds
from charrnn.text.decode import NUM_CODE_POINTS, TextReader, check_encoding
from charrnn.text.sources import TextSource, describe_paths, sources_of
from charrnn.text.stats.duplicates import RepeatCounter, Repeats
from charrnn.text.stats.encoding import Guess, guess_encoding
from charrnn.text.stats.lines import LineCounter, Lines
from charrnn.text.stats.unicode import FormCounter, NormalForms

RARE = (2, 10)
"""Counts below which characters are reported as rare."""
LINE_ENDS = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}
"""Line ends and their names."""


@dataclass(frozen=True)
class Description:
    """Statistics of a text.

    Attributes:
        source: the names of the files, in a few words.
        size: size of the files in bytes; compressed files are counted as they are.
        sha256: SHA-256 of the files, decompressed.
        config: settings for reading and splitting the text.
        characters: number of characters; a line end of any kind is one.
        counts: the count of each distinct character, the most frequent first; non-ASCII bytes are surrogate escapes.
        line_ends: the kinds of line ends in the files: LF, CR LF, CR; all are read as a newline, unless bytes are read.
        lines: lengths of lines, trailing white space, and separators.
        forms: Unicode normal forms; None for bytes.
        repeats: how much of the text occurs more than once.
        guess: the detected encoding, with the reason; None if the encoding was given.
    """

    source: str
    size: int
    sha256: str
    config: CorpusConfig
    characters: int
    counts: dict[str, int]
    line_ends: tuple[str, ...]
    lines: Lines
    forms: NormalForms | None
    repeats: Repeats
    guess: Guess | None = None

    @property
    def vocab_size(self) -> int:
        """The vocabulary size of a model of this text."""
        return 256 if self.config.bytes else len(self.counts)

    @property
    def entropy(self) -> float:
        """Entropy of the distribution of single characters, in bits: −Σ p log2 p."""
        shares = (count / self.characters for count in self.counts.values())
        return -sum(share * math.log2(share) for share in shares) + 0.0

    @property
    def parts(self) -> dict[str, int]:
        """Sizes of the training, validation and test part, in characters; empty if the text is too short to split."""
        try:
            train, test = split_bounds(self.characters, self.config)
        except TextError:
            return {}
        return {"train": train, "validation": test - train, "test": self.characters - test}

    def rarer_than(self, number: int) -> dict[str, int]:
        """Return the characters that occur fewer than `number` times, the most frequent first, with their counts."""
        return {character: count for character, count in self.counts.items() if count < number}

    @property
    def lower_vocab_size(self) -> int:
        """The number of distinct characters in lower case."""
        return len({small for character in self.counts for small in character.lower()})

    @property
    def odd(self) -> dict[str, int]:
        """Control, format, private-use and unassigned characters, with their counts."""
        return {
            character: count
            for character, count in self.counts.items()
            if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn") and character not in "\n\t"
        }

    def as_json(self) -> dict[str, Any]:
        """Return all statistics, under the keys that charrnn's JSON uses."""
        return {
            "text": self.source,
            "bytes": self.size,
            "sha256": self.sha256,
            "encoding": None if self.config.bytes else self.config.encoding,
            "encoding_is_sure": self.guess.is_sure if self.guess else None,
            "encoding_reason": self.guess.reason if self.guess else None,
            "characters": self.characters,
            "vocab_size": self.vocab_size,
            "entropy_bits_per_char": self.entropy,
            "line_ends": self.line_ends,
            "lines": asdict(self.lines),
            "normal_forms": asdict(self.forms) if self.forms else None,
            "lower_vocab_size": None if self.config.bytes else self.lower_vocab_size,
            "rare": {f"less_than_{n}": self._rare(n) for n in RARE},
            "repeats": asdict(self.repeats),
            "split": self.split,
            "parts": self.parts,
            "vocabulary": [
                {
                    "character": character,
                    "code_point": None if self.config.bytes else ord(character),
                    "byte": character.encode("utf-8", "surrogateescape")[0] if self.config.bytes else None,
                    "name": None if self.config.bytes else unicodedata.name(character, None),
                    "count": count,
                }
                for character, count in self.counts.items()
            ],
        }

    @property
    def split(self) -> str:
        """The percentages of the split, such as 90/10/0."""
        return describe_split(self.config)

    def _rare(self, number: int) -> dict[str, int]:
        rare = self.rarer_than(number)
        return {"different": len(rare), "characters": sum(rare.values())}


def describe(
    paths: Sequence[Path],
    config: CorpusConfig,
    progress: Callable[[int, int], None] | None = None,
    guess: bool = False,
) -> Description:
    """Read a text and compute its statistics.

    Args:
        paths: the files; `-` is standard input.
        config: encoding, normal form and split.
        progress: progress callback (bytes read, total bytes; the total is 0 if it is unknown).
        guess: whether to detect the encoding, unless the configuration asks for bytes; a text in an unknown encoding is
            read as bytes.

    Raises:
        TextError: a file cannot be read or decoded, changes while it is read, or all files are empty.
        UsageError: the encoding does not exist.
    """
    check_encoding(config.encoding)
    update = progress or (lambda done, total: None)
    with sources_of(paths, lambda done: update(done, 0)) as sources:
        size, guessed = sum(source.size for source in sources), None
        if guess and not config.bytes:
            guessed = _guess(sources, lambda done: update(done, size))
            known = guessed.encoding
            config = replace(config, encoding=known) if known else replace(config, bytes=True)
        return _describe(TextReader(sources, config, lambda done: update(done, size)), size, guessed)


def _guess(sources: Sequence[TextSource], progress: Callable[[int], None]) -> Guess:
    """Detect the common encoding of files: the encoding of the first file that is not UTF-8, otherwise UTF-8."""
    guesses = (guess_encoding(source.pieces(progress), source.name) for source in sources)
    for guess in guesses:
        if guess.encoding != "utf-8":
            break
    return guess


def _describe(reading: TextReader, size: int, guess: Guess | None) -> Description:
    config, name = reading.config, describe_paths([str(source.path) for source in reading.sources])
    counts, characters, has_plain = np.zeros(NUM_CODE_POINTS, np.int64), 0, False
    lines, repeats = LineCounter(), RepeatCounter()
    forms = None if config.bytes else FormCounter()
    for piece in reading:
        of_piece = np.bincount(piece)
        counts[: len(of_piece)] += of_piece
        characters += len(piece)
        has_plain |= piece.dtype == np.uint8 and len(of_piece) > ord("\n") and of_piece[ord("\n")] > 0
        lines.feed(piece)
        repeats.feed(piece)
        if forms:
            forms.feed(piece)
    if not characters:
        raise TextError(f"{name}: the file is empty; there is nothing to read")
    try:
        train, _ = split_bounds(characters, config)
    except TextError:
        train = characters
    ends = reading.line_ends | ({"\n"} if has_plain else set())
    return Description(
        source=name,
        size=size,
        sha256=reading.sha256,
        config=config,
        characters=characters,
        counts=dict(_counted(counts, config.bytes)),
        line_ends=tuple(name for end, name in LINE_ENDS.items() if end in ends),
        lines=lines.finish(),
        forms=forms.finish() if forms else None,
        repeats=repeats.finish(train),
        guess=guess,
    )


def _counted(counts: NDArray[np.int64], is_bytes: bool) -> Iterator[tuple[str, int]]:
    """Yield characters and their counts, the most frequent first; ties are in the order of code points."""
    points = np.flatnonzero(counts)
    for point in points[np.argsort(-counts[points], kind="stable")].tolist():
        yield chr(point + 0xDC00 if is_bytes and point >= 0x80 else point), int(counts[point])
