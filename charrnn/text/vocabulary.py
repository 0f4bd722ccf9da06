"""The vocabulary: characters or bytes, and their ids.

With a byte vocabulary, text is still `str`: bytes that are not UTF-8 are surrogate escapes, so encoding the text with
`errors="surrogateescape"` restores the exact bytes.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.config import BYTES_VOCAB_SIZE
from charrnn.errors import TextError, UsageError

EQUIVALENT_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
"""The Unicode normal forms that leave the meaning of a text unchanged."""

UNKNOWN_POLICIES = ("error", "skip", "replace")
"""The ways to treat characters that are not in the vocabulary."""
UNKNOWN_CHARACTER = "\ufffd"
"""Unicode's replacement character: the unknown symbol, which replaces all characters that a vocabulary lacks."""


class Vocabulary:
    """The characters that a model knows, in the order of their ids.

    Args:
        characters: distinct strings of length 1; None for the 256 bytes.
        unknown: the unknown symbol, which replaces all other characters; None without one.

    Raises:
        ValueError: `unknown` is not one of the characters.
    """

    def __init__(self, characters: Iterable[str] | None, unknown: str | None = None) -> None:
        self.characters = None if characters is None else tuple(characters)
        self.unknown_character = unknown
        if unknown is not None and unknown not in self._ids:
            raise ValueError(f"the unknown symbol must be one of the characters, found {unknown!r:.50}")

    def __len__(self) -> int:
        return BYTES_VOCAB_SIZE if self.characters is None else len(self.characters)

    def __eq__(self, other: object) -> bool:
        own = self.characters, self.unknown_character
        return isinstance(other, Vocabulary) and own == (other.characters, other.unknown_character)

    def __hash__(self) -> int:
        return hash((self.characters, self.unknown_character))

    @property
    def is_bytes(self) -> bool:
        """Whether ids are bytes."""
        return self.characters is None

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest integer type that holds every id."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters or ())}

    @property
    def symbols(self) -> tuple[str, ...]:
        """The character of each id; of a byte that is not ASCII, a surrogate escape."""
        return self.characters or tuple(bytes([i]).decode("ascii", "surrogateescape") for i in range(BYTES_VOCAB_SIZE))

    @property
    def start(self) -> int:
        """The id that is read before the first character of a text: the newline if there is one, else id 0."""
        return ord("\n") if self.is_bytes else self._ids.get("\n", 0)

    @property
    def unknown(self) -> int | None:
        """The id of the unknown symbol; None without one."""
        return None if self.unknown_character is None else self._ids[self.unknown_character]

    @property
    def unsampleable(self) -> tuple[int, ...]:
        """The ids that are never sampled: the unknown symbol, because it is not a character of the text."""
        return () if self.unknown is None else (self.unknown,)

    def can_generate(self, character: str) -> bool:
        """Return whether a model with this vocabulary can generate a character."""
        return self.is_bytes or (character in self._ids and character != self.unknown_character)

    def encode(self, text: str, unknown: str = "error") -> NDArray[np.int64]:
        """Return the ids of a text.

        Args:
            text: any text.
            unknown: what to do with characters that are not in the vocabulary: `error` raises, `skip` drops them,
                `replace` substitutes a space (or, without one, the start character). A vocabulary with an unknown
                symbol substitutes that symbol for both `error` and `replace`.

        Raises:
            TextError: a character is unknown; the message has the first one, its position, and the number of others.
        """
        if unknown not in UNKNOWN_POLICIES:
            raise UsageError(f"--unknown {unknown}: must be one of {', '.join(UNKNOWN_POLICIES)}")
        if self.is_bytes:
            return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8).astype(np.int64)
        places = [i for i, character in enumerate(text) if character not in self._ids]
        if places and unknown == "error" and self.unknown is None:
            raise TextError(_unknown_message(text, places, self.known_form(text)))
        substitute = self._ids.get(" ", self.start) if self.unknown is None else self.unknown
        substitute = -1 if unknown == "skip" else substitute
        ids = np.array([self._ids.get(character, substitute) for character in text], np.int64)
        return ids[ids >= 0]

    def known_form(self, text: str) -> Literal["NFC", "NFD"] | None:
        """Return the normal form in which all characters of a text are known; None if they already are, or in neither.

        Both forms represent the same text (UAX #15): accents are separate characters (NFD) or part of their letter
        (NFC).
        """
        if self.is_bytes or all(character in self._ids for character in text):
            return None
        for form in EQUIVALENT_FORMS:
            if all(character in self._ids for character in unicodedata.normalize(form, text)):
                return form
        return None

    def extended_with(self, other: Vocabulary) -> Vocabulary:
        """Return this vocabulary with the new characters of another one appended, ordered by code point.

        Existing ids do not change. The result has an unknown symbol if either vocabulary has one.
        """
        if self.characters is None:
            return self
        new = sorted(set(other.characters or ()) - set(self.characters))
        return Vocabulary((*self.characters, *new), self.unknown_character or other.unknown_character)

    def decoder(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that it completes; a byte may complete none."""
        if self.characters is not None:
            return self.characters.__getitem__
        utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        return lambda token: utf8.decode(bytes((token,)))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of the ids."""
        if self.characters is not None:
            return "".join(map(self.characters.__getitem__, ids))
        return bytes(ids).decode("utf-8", "surrogateescape")


def character_name(character: str) -> str:
    """Return an unambiguous, printable name of a character: `'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)`."""
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return f"0x{ord(character) - 0xDC00:02X} (a byte that is not UTF-8)"
    shown = ascii(character) if unicodedata.category(character)[0] in "CZ" else repr(character)
    name = unicodedata.name(character, "")
    return f"{shown} (U+{ord(character):04X}{' ' if name else ''}{name})"


def _unknown_message(text: str, places: list[int], form: str | None) -> str:
    first = places[0]
    line, column = text.count("\n", 0, first) + 1, first - text.rfind("\n", 0, first)
    more = "" if len(places) == 1 else f", and {len(places) - 1} more"
    advice = f"write the text in {form}, in which all its characters are known" if form else "remove it"
    return (
        f"the model does not know the character {character_name(text[first])} at line {line}, column {column}{more}; "
        f"{advice}, or use --unknown skip or --unknown replace"
    )
