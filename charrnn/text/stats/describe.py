"""What a text is like, before anything is trained on it: one pass over the file, in memory that does not grow with it.

Numbers alone: what they mean is said in `findings.py`, and shown by the command line.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text.corpus import split_bounds
from charrnn.text.decode import Reading, check_encoding
from charrnn.text.sources import Source, described
from charrnn.text.stats.duplicates import RepeatCounter, Repeats
from charrnn.text.stats.lines import LineCounter, Lines
from charrnn.text.stats.unicode import UNICODE, FormCounter, NormalForms

RARE = (2, 10)
"""What a rare character is: one that occurs less often than this."""
ENDS = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}
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
        counts: of each different character, the commonest first; of bytes, those that are no ASCII as surrogate
            escapes.
        line_ends: how lines end in the file: LF, CR LF, CR; they are all read as one newline, but for bytes.
        lines: their lengths and what stands at their ends.
        forms: Unicode's normal forms; None for bytes.
        repeats: what stands in it more than once.
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
        """Characters that show nothing, or are none: control and format characters, private and unassigned ones."""
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
                    "byte": _byte(character) if self.config.bytes else None,
                    "name": None if self.config.bytes else unicodedata.name(character, None),
                    "count": count,
                }
                for character, count in self.counts.items()
            ],
        }

    def _rare(self, number: int) -> dict[str, int]:
        rare = self.rarer_than(number)
        return {"different": len(rare), "characters": sum(rare.values())}

    @property
    def split(self) -> str:
        """The split in words, such as 90/10/0."""
        held_out = self.config.val_fraction, self.config.test_fraction
        return "/".join(f"{100 * share:.4g}" for share in (1 - sum(held_out), *held_out))


def describe(
    sources: Sequence[Source], config: CorpusConfig, progress: Callable[[int, int], None] | None = None
) -> Description:
    """Read a text once and say what it is like.

    Args:
        sources: its files.
        config: encoding, form and split.
        progress: told the bytes read, and of how many.

    Raises:
        TextError: a file cannot be read or decoded, is changed while it is read, or all are empty.
        UsageError: there is no such encoding.
    """
    check_encoding(config.encoding)
    size, name = sum(source.size for source in sources), described([str(source.path) for source in sources])
    reading = Reading(sources, config, lambda done: progress(done, size) if progress else None)
    counts, characters, has_plain = np.zeros(UNICODE, np.int64), 0, False
    lines, repeats = LineCounter(), RepeatCounter()
    forms = None if config.bytes else FormCounter()
    for piece in reading:
        found = np.bincount(piece)
        counts[: len(found)] += found
        characters += len(piece)
        has_plain |= piece.dtype == np.uint8 and len(found) > ord("\n") and found[ord("\n")] > 0
        lines.read(piece)
        repeats.read(piece)
        if forms:
            forms.read(piece)
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
        line_ends=tuple(name for end, name in ENDS.items() if end in ends),
        lines=lines.result(),
        forms=forms.result() if forms else None,
        repeats=repeats.result(train),
    )


def _counted(counts: NDArray[np.int64], is_bytes: bool) -> Iterator[tuple[str, int]]:
    """Characters and how often they occur, the commonest first, of those the one with the least code point."""
    points = np.flatnonzero(counts)
    for point in points[np.argsort(-counts[points], kind="stable")].tolist():
        yield chr(point + 0xDC00 if is_bytes and point >= 0x80 else point), int(counts[point])


def _byte(character: str) -> int:
    return character.encode("utf-8", "surrogateescape")[0]
