"""Data for the page's script, as JSON: the characters of a text, the predictions, and the activations of units."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from charrnn.scoring.probes.predictions import Predictions
from charrnn.scoring.probes.traces import Trace
from charrnn.scoring.probes.units import UnitMatch
from charrnn.text.sanitize import escape_control_chars

NAMES = {"\n": "line end", " ": "space", "\t": "tab", "\r": "carriage return", "\xa0": "no-break space"}
"""Names of invisible characters."""
SYMBOLS = {"\n": "↵", " ": "␣", "\t": "⇥"}
"""Symbols for invisible characters in the list of predictions."""
UNIT_OVERHEAD = 24
"""Bytes that a unit's number and scale take."""


def characters_of(ids: Sequence[int], vocabulary: Sequence[str] | None) -> list[str]:
    """Return the character of each id; without a vocabulary, ids are bytes, as surrogate escapes beyond ASCII."""
    if vocabulary is not None:
        return [vocabulary[token] for token in ids]
    return [chr(token) if token < 0x80 else chr(0xDC00 + token) for token in ids]


def in_text(character: str) -> str:
    """Return a character as the page shows it: line breaks and tabs get a visible symbol before them."""
    return escape_control_chars(character, "↵\n") if character != "\t" else "⇥\t"


def text_data(characters: Sequence[str], vocabulary: Sequence[str] | None, expected: Predictions) -> dict[str, Any]:
    """Return the data of N characters and of the predictions at each; the vocabulary is None for bytes."""
    predicted = np.unique(expected.likeliest[expected.likeliest >= 0]).tolist()
    number = {token: i for i, token in enumerate(predicted)}
    alphabet = characters_of(predicted, vocabulary)
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
    """Return the activations at the first `shown` characters, in 8 bits, for as many units as fit in `budget` bytes.

    Units that track a feature have priority, then units that vary most.
    """
    values = trace.values[:shown]
    room = max(0, budget // (4 * shown // 3 + UNIT_OVERHEAD))
    first = [match.unit for match in matches] + [unit for match in matches for unit, _ in match.others]
    scales = np.abs(values).max(0)
    divisors = np.where(scales > 0, scales, 1)
    varying = np.argsort(-values.std(0) / divisors, kind="stable").tolist()
    kept = sorted(list(dict.fromkeys([*first, *varying]))[:room])
    signed_bytes = np.round(values[:, kept] / divisors[kept] * 127).astype(np.int8).T.tobytes()
    return {
        "groups": list(trace.groups),
        "width": trace.width,
        "kept": kept,
        "scales": [round(float(scale), 4) for scale in scales[kept]],
        "values": base64.b64encode(signed_bytes).decode("ascii"),
    }
