"""Unicode normalization and lowercasing.

A text is read in chunks, and a combining mark at the start of one may belong to a letter at the end of the previous
one. The end of a chunk is therefore held back, from the last position at which no two characters can combine.
"""

from __future__ import annotations

import unicodedata
from typing import Literal, cast

from charrnn.config import CorpusConfig

MAX_WAITING = 1 << 16
"""The largest number of characters held back. A longer run without a safe position is not text, and is cut anyway."""
SEARCHED = 1000
"""The number of characters searched for a safe position at the end of a chunk without white space."""

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]


def is_unchanged(config: CorpusConfig) -> bool:
    """Return whether characters stay as they are."""
    return not (config.normalize or config.lower)


def normalize_text(text: str, config: CorpusConfig) -> str:
    """Normalize a whole text as configured, which is the form known to a model trained with that configuration.

    The text is normalized, lowercased and normalized again, because lowercasing may leave the normal form.
    """
    if is_unchanged(config):
        return text
    changed = _normalized(text, config)
    return _normalized(changed.lower(), config) if config.lower else changed


def separator_of(config: CorpusConfig) -> str:
    """Return the document separator, normalized like the text; empty without one."""
    separator = config.document_separator or ""
    return separator if config.bytes else normalize_text(separator.replace("\r\n", "\n").replace("\r", "\n"), config)


class Normalizer:
    """Normalize a text chunk by chunk."""

    def __init__(self, config: CorpusConfig) -> None:
        self.config, self.waiting = config, ""

    def feed(self, text: str) -> str:
        """Take the next chunk; return the text that is final."""
        text = self.waiting + text
        cut = _place_to_cut(text, self.config.lower)
        self.waiting = text[cut:]
        return normalize_text(text[:cut], self.config)

    def finish(self) -> str:
        """Return the text that was held back."""
        rest, self.waiting = self.waiting, ""
        return normalize_text(rest, self.config)


def _normalized(text: str, config: CorpusConfig) -> str:
    return unicodedata.normalize(cast("Form", config.normalize), text) if config.normalize else text


def _place_to_cut(text: str, lower: bool) -> int:
    """Return the last position at which no two characters can combine; 0 if there is none.

    Preferably before white space, where a word ends too (the lower case of a final sigma depends on that). Without
    white space, as in Chinese, before a character that never combines with the previous one.
    """
    space = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t"))
    if space > 0 or (lower and len(text) <= MAX_WAITING):
        return max(space, 0)
    for place in range(len(text) - 1, max(0, len(text) - SEARCHED), -1):
        if _never_combines(text[place]):
            return place
    return len(text) if len(text) > MAX_WAITING else 0


def _never_combines(character: str) -> bool:
    """Return whether a character never combines with the previous one: no mark, no later part of a Hangul syllable."""
    first = unicodedata.normalize("NFKD", character)[0]
    is_part = "\u1160" <= first <= "\u11ff" or "\U00016d40" <= first <= "\U00016d7f"
    return unicodedata.category(first)[0] != "M" and not is_part
