"""Characters, or bytes, and their ids; knows nothing of files.

In a vocabulary of bytes, text is still `str`: bytes that are not UTF-8 are surrogate escapes in it, so that
writing it with `errors="surrogateescape"` gives the very bytes back.
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
"""The normal forms in which a text is the same text."""

UNKNOWN_POLICIES = ("error", "skip", "replace")
"""The ways to treat a character that the vocabulary lacks."""
UNKNOWN_CHARACTER = "\ufffd"
"""Unicode's replacement character: the symbol for all that a vocabulary with such a symbol lacks."""


class Vocabulary:
    """The characters that a model knows, in the order of their ids.

    Args:
        characters: one `str` of length 1 each, all different; None for the 256 bytes.
        unknown: the one among them that replaces all others (the unknown symbol); None without one.

    Raises:
        ValueError: that one is not among them.
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
        """The smallest type that holds every id."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters or ())}

    @property
    def start(self) -> int:
        """The id that is read before the first character of a text: a newline, where there is one."""
        return ord("\n") if self.is_bytes else self._ids.get("\n", 0)

    @property
    def unknown(self) -> int | None:
        """The id of the unknown symbol, if there is one."""
        return None if self.unknown_character is None else self._ids[self.unknown_character]

    @property
    def unsampleable(self) -> tuple[int, ...]:
        """The ids that are never sampled: that of the unknown symbol, which is not a character of a text."""
        return () if self.unknown is None else (self.unknown,)

    def can_generate(self, character: str) -> bool:
        """Whether a model with this vocabulary can generate a character."""
        return self.is_bytes or (character in self._ids and character != self.unknown_character)

    def encode(self, text: str, unknown: str = "error") -> NDArray[np.int64]:
        """The ids of a text.

        Args:
            text: any text.
            unknown: for characters that are not in the vocabulary. `error` raises, `skip` leaves them out, `replace`
                puts a space for them (or, without one, the character that starts a text). In a vocabulary with an
                unknown symbol, that replaces them, unless they are left out.

        Raises:
            TextError: a character is unknown; the message names the first, its place, and how many there are.
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
        """The normal form in which all characters of a text are known; None if they are known already, or in neither.

        In both it is the same text (UAX #15): an accent is a character of its own, or a part of its letter.
        """
        if self.is_bytes or all(character in self._ids for character in text):
            return None
        for form in EQUIVALENT_FORMS:
            if all(character in self._ids for character in unicodedata.normalize(form, text)):
                return form
        return None

    def extended_with(self, other: Vocabulary) -> Vocabulary:
        """The same with the characters of another one behind, in the order of their code points.

        Ids stay what they are. It has an unknown symbol if one of both has.
        """
        if self.characters is None:
            return self
        new = sorted(set(other.characters or ()) - set(self.characters))
        return Vocabulary((*self.characters, *new), self.unknown_character or other.unknown_character)

    def decoder(self) -> Callable[[int], str]:
        """A function from the next id to the text that it completes; for bytes that may be none yet."""
        if self.characters is not None:
            return self.characters.__getitem__
        utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        return lambda token: utf8.decode(bytes((token,)))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids."""
        if self.characters is not None:
            return "".join(map(self.characters.__getitem__, ids))
        return bytes(ids).decode("utf-8", "surrogateescape")


def character_name(character: str) -> str:
    """A character, harmless and unmistakable: `'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)`."""
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return f"0x{ord(character) - 0xDC00:02X} (a byte that is not UTF-8)"
    shown = ascii(character) if unicodedata.category(character)[0] in "CZ" else repr(character)
    name = unicodedata.name(character, "")
    return f"{shown} (U+{ord(character):04X}{' ' if name else ''}{name})"


def _unknown_message(text: str, places: list[int], form: str | None) -> str:
    first = places[0]
    line, column = text.count("\n", 0, first) + 1, first - text.rfind("\n", 0, first)
    more = "" if len(places) == 1 else f", and {len(places) - 1} more"
    advice = f"write the text in {form}, in which all of it is known" if form else "take it out"
    return (
        f"the model does not know the character {character_name(text[first])} at line {line}, column {column}{more}; "
        f"{advice}, or say --unknown skip or --unknown replace"
    )
