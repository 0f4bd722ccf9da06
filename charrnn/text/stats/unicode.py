"""The Unicode normal forms of a text that is read in pieces, and the effect of NFC.

A letter with an accent may be one character or two (UAX #15): NFC prefers one, NFD always uses two. A text with both
has two spellings of the same word, and a larger vocabulary.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from charrnn.text.decode import NUM_CODE_POINTS
from charrnn.text.normalize import Form

FORMS: tuple[Form, ...] = get_args(Form)
MAX_CARRIED = 1 << 16
"""The maximum number of non-ASCII characters carried over to the next piece; longer sequences are cut anywhere."""


@dataclass(frozen=True)
class NormalForms:
    """The normal forms that a text is in, and its size in NFC.

    Attributes:
        forms: the forms (of FORMS) that leave the text unchanged; all of them for ASCII.
        nfc_characters: number of characters in NFC.
        nfc_vocab_size: number of distinct characters in NFC.
    """

    forms: tuple[str, ...]
    nfc_characters: int
    nfc_vocab_size: int


class FormCounter:
    """A detector of the normal forms of a text, which is read in pieces."""

    def __init__(self) -> None:
        self.forms, self.characters = list(FORMS), 0
        self.seen = np.zeros(NUM_CODE_POINTS, bool)
        self._carried = np.zeros(0, np.uint32)

    def feed(self, piece: NDArray[Any]) -> None:
        """Process a piece: (N,) code points, or uint8 for ASCII."""
        if piece.dtype == np.uint8 and len(piece):
            self._flush()
            self.seen[piece[:-1]] = True
            self.characters += len(piece) - 1
            self._carried = piece[-1:].astype(np.uint32)  # a combining accent may follow
            return
        text = np.concatenate((self._carried, piece))
        # ASCII characters never combine with the character before them.
        cut = int(np.flatnonzero(np.append(True, text < 128))[-1]) - 1
        if cut <= 0:
            cut = len(text) if len(text) > MAX_CARRIED else 0
        self._carried = text[cut:]
        self._look_at(text[:cut])

    def _flush(self) -> None:
        carried, self._carried = self._carried, self._carried[:0]
        self._look_at(carried)

    def _look_at(self, points: NDArray[Any]) -> None:
        text = points.astype("<u4").tobytes().decode("utf-32-le")
        self.forms = [form for form in self.forms if unicodedata.is_normalized(form, text)]
        if "NFC" not in self.forms:
            points = np.frombuffer(unicodedata.normalize("NFC", text).encode("utf-32-le"), np.uint32)
        self.seen[points] = True
        self.characters += len(points)

    def finish(self) -> NormalForms:
        """Return the normal forms, after the last piece."""
        self._flush()
        return NormalForms(tuple(self.forms), self.characters, int(self.seen.sum()))
