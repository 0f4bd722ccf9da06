"""A text as the page's script reads it: characters, what was expected at each, and what units were, as JSON."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.scoring.probes.predictions import Predictions
from charrnn.scoring.probes.traces import Trace
from charrnn.scoring.probes.units import UnitMatch
from charrnn.text.sanitize import escape_control_chars

NAMES = {"\n": "line end", " ": "space", "\t": "tab", "\r": "carriage return", "\xa0": "no-break space"}
"""Names of characters that do not show."""
SYMBOLS = {"\n": "↵", " ": "␣", "\t": "⇥"}
"""How such characters are shown in a list."""
UNIT_OVERHEAD = 24
"""Bytes of a unit's number and scale."""
MAX_ACTIVATION = 127
"""The largest activation in 8 bits."""


def characters_of(ids: Sequence[int], decoded: Sequence[str] | None) -> list[str]:
    """Each id as one `str`; a byte beyond ASCII as a surrogate escape.

    Args:
        ids: (N,)
        decoded: the vocabulary's characters; None for bytes.
    """
    if decoded is not None:
        return [decoded[token] for token in ids]
    return [chr(token) if token < 0x80 else chr(0xDC00 + token) for token in ids]


def in_text(character: str) -> str:
    """A character as the text shows it: a line end is seen, and ends the line."""
    return escape_control_chars(character, "↵\n") if character != "\t" else "⇥\t"


def text_data(characters: Sequence[str], vocabulary: Sequence[str] | None, expected: Predictions) -> dict[str, Any]:
    """Characters and what was expected at each.

    Args:
        characters: (N,)
        vocabulary: the characters by their ids; None for bytes.
        expected: at the same N characters.
    """
    used = sorted({*expected.likeliest[expected.likeliest >= 0].tolist()})
    number = {token: i for i, token in enumerate(used)}
    alphabet = characters_of(used, vocabulary)
    return {
        "characters": [in_text(character) for character in characters],
        "names": {str(i): _name(char) for i, char in enumerate(characters) if _name(char) != char},
        "bits": [None if np.isinf(nats) else round(float(nats / np.log(2)), 3) for nats in expected.nats],
        "alphabet": [[SYMBOLS.get(char, escape_control_chars(char)), _name(char)] for char in alphabet],
        "likeliest": [[number[token] for token in row if token >= 0] for row in expected.likeliest.tolist()],
        "percent": [[round(100 * share, 2) for share in row] for row in expected.probabilities.tolist()],
    }


def _name(character: str) -> str:
    return NAMES.get(character, escape_control_chars(character))


def unit_data(trace: Trace, shown: int, matches: Sequence[UnitMatch], budget: int) -> dict[str, Any]:
    """What units were at each character that is shown, in 8 bits, as many units as there is room for.

    First those that were found to keep track of something, then those that vary most.

    Args:
        trace: of as many characters, or more.
        shown: how many of them.
        matches: of the search.
        budget: bytes.
    """
    values = trace.values[:shown]
    room = max(0, budget // (4 * shown // 3 + UNIT_OVERHEAD))
    first = [match.unit for match in matches] + [unit for match in matches for unit, _ in match.others]
    if room >= len(trace):
        kept = list(range(len(trace)))
    else:
        scale = np.abs(values).max(0)
        varying = np.argsort(-values.std(0) / np.where(scale > 0, scale, 1), kind="stable").tolist()
        kept = sorted(list(dict.fromkeys([*first, *varying]))[:room])
    scales = np.abs(values[:, kept]).max(0, initial=0)
    return {
        "groups": list(trace.groups),
        "width": trace.width,
        "kept": kept,
        "scales": [round(float(scale), 4) for scale in scales],
        "values": _packed(values[:, kept], scales),
    }


def _packed(values: NDArray[np.float32], scales: NDArray[np.float32]) -> str:
    """(N, U) numbers as signed bytes, unit after unit, in base 64."""
    scaled = np.round(values / np.where(scales > 0, scales, 1) * MAX_ACTIVATION).astype(np.int8)
    return base64.b64encode(np.ascontiguousarray(scaled.T).tobytes()).decode("ascii")
