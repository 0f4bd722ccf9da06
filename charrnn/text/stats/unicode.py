"""Which of Unicode's normal forms a text is in, found while it is read in pieces; and what NFC would change.

A letter with an accent may be one character or two (UAX #15). NFC has one where there is one, NFD has two; a text with
both has two spellings of the same word, and a vocabulary with both.
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
"""The most characters without any ASCII among them that wait for the next piece; more are cut where they are."""


@dataclass(frozen=True)
class NormalForms:
    """Which normal forms a text is in, and what it would be in NFC.

    Attributes:
        forms: of FORMS, those that leave the text as it is; plain ASCII is in all.
        nfc_characters: how many characters it would have.
        nfc_vocab_size: how many different ones.
    """

    forms: tuple[str, ...]
    nfc_characters: int
    nfc_vocab_size: int


class FormCounter:
    """Finds the normal forms of a text, piece by piece."""

    def __init__(self) -> None:
        self.forms, self.characters = list(FORMS), 0
        self.seen = np.zeros(NUM_CODE_POINTS, bool)
        self._carried = np.zeros(0, np.uint32)

    def feed(self, piece: NDArray[Any]) -> None:
        """Look at a piece: (N,) code points; bytes are taken for ASCII."""
        if piece.dtype == np.uint8 and len(piece):
            self._flush()
            self.seen[piece[:-1]] = True
            self.characters += len(piece) - 1
            self._carried = piece[-1:].astype(np.uint32)  # an accent may follow
            return
        text = np.concatenate((self._carried, piece))
        # No character of ASCII is joined to the character before it.
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
        """The forms, at the end of the text."""
        self._flush()
        return NormalForms(tuple(self.forms), self.characters, int(self.seen.sum()))
