"""What a text is like, before anything is trained on it: one pass over its files, in memory that does not grow with it.

Numbers alone: what they mean for training is in `warnings.py`.
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
"""Counts below which a character is rare."""
LINE_ENDS = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}
"""The names of line ends."""


@dataclass(frozen=True)
class Description:
    """What a text is like.

    Attributes:
        source: the files in a few words.
        size: their bytes, packed ones as they are.
        sha256: of them, unpacked.
        config: how it was read and would be split.
        characters: how many, line ends counted once.
        counts: of each different character, the commonest first; of bytes, those that are not ASCII as surrogate
            escapes.
        line_ends: how lines end in the file: LF, CR LF, CR; they are all read as one newline, but for bytes.
        lines: their lengths, white space at their ends, and separators.
        forms: Unicode's normal forms; None for bytes.
        repeats: how much of it occurs more than once.
        guess: the encoding that was found, with the reason; None if the encoding was given.
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
        """Of a model of this text."""
        return 256 if self.config.bytes else len(self.counts)

    @property
    def entropy(self) -> float:
        """Bits per character if each were drawn by itself: -sum p log2 p of their shares."""
        shares = (count / self.characters for count in self.counts.values())
        return -sum(share * math.log2(share) for share in shares) + 0.0

    @property
    def parts(self) -> dict[str, int]:
        """Characters of the training, validation and test part; none where the text is too short for that."""
        try:
            train, test = split_bounds(self.characters, self.config)
        except TextError:
            return {}
        return {"train": train, "validation": test - train, "test": self.characters - test}

    def rarer_than(self, number: int) -> dict[str, int]:
        """The characters that occur less often than this, the commonest first, and how often they do."""
        return {character: count for character, count in self.counts.items() if count < number}

    @property
    def lower_vocab_size(self) -> int:
        """Different characters if all were small letters."""
        return len({small for character in self.counts for small in character.lower()})

    @property
    def odd(self) -> dict[str, int]:
        """Control, format, private and unassigned characters."""
        return {
            character: count
            for character, count in self.counts.items()
            if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn") and character not in "\n\t"
        }

    def as_json(self) -> dict[str, Any]:
        """All of it, under the names that charrnn's JSON uses."""
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
        """The split in words."""
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
    """Read a text and describe it.

    Args:
        paths: its files; `-` is standard input.
        config: encoding, form and split.
        progress: progress callback (bytes read, of how many; 0 where that is not known).
        guess: whether to find out the encoding instead, if the configuration does not ask for bytes; a text that is in
            no encoding is described as bytes.

    Raises:
        TextError: a file cannot be read or decoded, is changed while it is read, or all are empty.
        UsageError: there is no such encoding.
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
    """The encoding of files, which are read alike: that of the first that is not UTF-8, if there is one."""
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
    """Characters and how often they occur, the commonest first, of those the one with the least code point."""
    points = np.flatnonzero(counts)
    for point in points[np.argsort(-counts[points], kind="stable")].tolist():
        yield chr(point + 0xDC00 if is_bytes and point >= 0x80 else point), int(counts[point])
