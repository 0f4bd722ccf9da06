"""One form for characters that can be written in several: Unicode's normal forms, and lower case.

A text is read in pieces, and a mark at the beginning of one may belong to a letter at the end of the one before. So the
end of a piece waits for the next one, from a place on at which nothing can join.
"""

from __future__ import annotations

import unicodedata
from typing import Literal, cast

from charrnn.config import CorpusConfig

MAX_WAITING = 1 << 16
"""The most characters that wait. A longer run without such a place is not text, and is cut."""
SEARCHED = 1000
"""The characters at the end of a piece without white space that are searched for another place."""

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]


def is_unchanged(config: CorpusConfig) -> bool:
    """Whether characters stay as they are."""
    return not (config.normalize or config.lower)


def normalize_text(text: str, config: CorpusConfig) -> str:
    """A whole text in the form that a configuration asks for, which a model that was fitted with it knows.

    Normalised, in lower case, and normalised again: lower case may be written in more than one way, too.
    """
    if is_unchanged(config):
        return text
    changed = _normalized(text, config)
    return _normalized(changed.lower(), config) if config.lower else changed


def separator_of(config: CorpusConfig) -> str:
    """The separator of documents in the form of a text that is read so; empty without one."""
    separator = config.document_separator or ""
    return separator if config.bytes else normalize_text(separator.replace("\r\n", "\n").replace("\r", "\n"), config)


class Normalizer:
    """Brings a text into that form, piece by piece."""

    def __init__(self, config: CorpusConfig) -> None:
        self.config, self.waiting = config, ""

    def feed(self, text: str) -> str:
        """The text that is certain after another piece."""
        text = self.waiting + text
        cut = _place_to_cut(text, self.config.lower)
        self.waiting = text[cut:]
        return normalize_text(text[:cut], self.config)

    def finish(self) -> str:
        """The rest."""
        rest, self.waiting = self.waiting, ""
        return normalize_text(rest, self.config)


def _normalized(text: str, config: CorpusConfig) -> str:
    return unicodedata.normalize(cast("Form", config.normalize), text) if config.normalize else text


def _place_to_cut(text: str, lower: bool) -> int:
    """Where nothing joins, as late as possible; 0 if there is no such place.

    Before white space: there also a word ends, on which the lower case of a sigma depends. Where there is none, as in
    Chinese, before a character that cannot be joined to one before it.
    """
    space = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t"))
    if space > 0 or (lower and len(text) <= MAX_WAITING):
        return max(space, 0)
    for place in range(len(text) - 1, max(0, len(text) - SEARCHED), -1):
        if _begins_anew(text[place]):
            return place
    return len(text) if len(text) > MAX_WAITING else 0


def _begins_anew(character: str) -> bool:
    """Whether a character never joins the one before it: it is neither a mark nor a later part of a Korean syllable."""
    first = unicodedata.normalize("NFKD", character)[0]
    is_part = "\u1160" <= first <= "\u11ff" or "\U00016d40" <= first <= "\U00016d7f"
    return unicodedata.category(first)[0] != "M" and not is_part
