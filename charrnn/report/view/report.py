"""A page about one model, from numbers: what it is, how it learned, what it expects, what is inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.errors import UsageError
from charrnn.report.page import fill
from charrnn.report.view.about import comparison, head, training
from charrnn.report.view.inside import inside
from charrnn.report.view.text import in_text, text_data, unit_data
from charrnn.scoring.compare.rows import HeldOut, Row
from charrnn.scoring.probes.analyze import Inside
from charrnn.scoring.probes.predictions import Predictions
from charrnn.text.sanitize import visible
from charrnn.training.monitor.history import Record

MOST_BYTES = 3_000_000
"""Of a page."""
MARGIN = 1000
"""Bytes of what is said of the units, at most."""


@dataclass(frozen=True)
class View:
    """All that the page shows.

    Attributes:
        checkpoint: the model.
        part: what is read is its beginning.
        source: what that text is called.
        characters: (N,) that are shown, one `str` each.
        predictions: for them.
        network: which network it is whose inside is shown, if not the model itself, in words.
        inside: measured on as many characters, or more; None for counts.
        history: of the training; nothing if there is none.
        rows: of the comparison; nothing if it is left out.
        compared: how many characters those were scored on.
    """

    checkpoint: Checkpoint
    part: HeldOut
    source: str
    characters: Sequence[str]
    predictions: Predictions
    network: str = ""
    inside: Inside | None = None
    history: Sequence[Record] = ()
    rows: Sequence[Row] = ()
    compared: int = 0


def render(view: View) -> str:
    """The page, which needs nothing else; of units as many as there is room for.

    Raises:
        UsageError: an extra is missing; or there are so many characters that the page is too large without units.
    """
    values: dict[str, Any] = {
        "name": view.checkpoint.name,
        "head": head(view.checkpoint),
        "training": training(view.history),
        "no_training": _no_training(view.checkpoint),
        "reading": _reading(view),
        "inside": inside(view.inside, view.characters, view.network) if view.inside else None,
        "comparison": comparison(view.checkpoint, view.rows, view.compared, view.part, view.source),
    }
    data: dict[str, Any] = {
        "text": text_data(view.characters, view.checkpoint.vocabulary.characters, view.predictions),
        "tracks": [],
        "units": None,
    }
    page = fill("template.html", {**values, "data": data})
    room = MOST_BYTES - MARGIN - len(page.encode())
    if room < 0:
        raise UsageError(f"the page would be larger than {MOST_BYTES / 1e6:.0f} MB; say a smaller --length")
    if view.inside:
        states = view.inside.trace
        data["units"] = unit_data(states, len(view.characters), view.inside.found, room)
        beyond = [one for one in view.inside.found if one.is_beyond_chance]
        first = {one.unit: one.feature for one in reversed(beyond)}  # the best of a unit that keeps track of several
        kept = data["units"]["kept"]
        data["tracks"] = [
            [str(one.unit), one.feature] for one in beyond if first[one.unit] == one.feature and one.unit in kept
        ]
        if len(kept) < len(states):
            values["reading"]["sentence"] += (
                f" Of {len(states):,} units {len(kept):,} are here, for a page is to be small: those "
                "that keep track of something, and those that vary most."
            )
        page = fill("template.html", {**values, "data": data})
    return page


def _no_training(checkpoint: Checkpoint) -> str:
    if checkpoint.kind == "ngram":
        return "It was counted, not trained: there are no steps to draw."
    return (
        "No history of its training was found beside it, so there is no curve to draw: it was made before charrnn kept "
        "one, or the file was not copied with it."
    )


def _reading(view: View) -> dict[str, str]:
    shown, of = len(view.characters), len(view.part.ids)
    which = {"all": "", "test": "test part of ", "validation": "validation part of "}[view.part.part]
    these = "All" if shown == of else f"The first {shown:,} of"
    seen = "which it has not been fitted on" if which else "as a text that it was not fitted on"
    bits = view.predictions.nats.mean() / math.log(2)
    return {
        "plain": "".join(map(in_text, view.characters)),
        "sentence": (
            f"{these} {of:,} characters of the {which}{visible(view.source, '↵')}, {seen}, read from left to right "
            f"({view.part.rule}). At each character the panel says what the model expected there, from all that came "
            f"before, and how many bits the character that came took: {bits:.3f} in the mean."
        ),
    }
