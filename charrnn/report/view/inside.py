"""The inside of a network on a page: units, states and gates, each with its figures in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from charrnn.report.view.pictures import gate_pictures, plane_picture
from charrnn.scoring.probes.analyze import NetworkAnalysis
from charrnn.scoring.probes.gates import OPEN, SHUT, Saturation
from charrnn.scoring.probes.states import CLASSES, Plane, class_of
from charrnn.scoring.probes.traces import Trace
from charrnn.scoring.probes.units import SHIFTS, UnitMatch

MAX_POINTS = 2000
PATH = 40
"""Characters through which the path of the state is drawn."""
ALWAYS = 0.9
"""The share of the time from which on a gate counts as nearly always shut, or open."""


def inside(analysis: NetworkAnalysis, characters: Sequence[str], network: str) -> dict[str, Any]:
    """The template's variables.

    Args:
        analysis: the measurements.
        characters: those that are shown.
        network: a sentence that says which network it is, if it is only a part of the model.
    """
    return {
        "whose": network and f" {network}",
        "units": _units(analysis.trace, analysis.matches),
        "states": _states(analysis.plane, characters, len(analysis.trace.values)),
        "gates": _gates(analysis.gates, len(analysis.trace.values)),
    }


def _units(trace: Trace, matches: Sequence[UnitMatch]) -> dict[str, Any]:
    beyond = [match for match in matches if match.is_beyond_chance]
    not_beyond = ", ".join(match.feature for match in matches if not match.is_beyond_chance)
    sentence = (
        "Some units count or remember something that one can name. Choose one to colour the text above by it."
        if beyond
        else "No unit was found that keeps track of anything that was looked for, beyond what chance gives."
    )
    if not matches:
        sentence += " The text is too short, or too even, to tell."
    return {
        "sentence": sentence,
        "rows": [
            {
                "feature": match.feature,
                "unit": _unit(trace, match.unit),
                "correlation": _correlation(match.correlation),
                "chance": _correlation(match.chance),
                "others": [_unit(trace, unit, r) for unit, r in match.others[:2]],
            }
            for match in beyond
        ],
        "nothing": f"None was found, beyond chance, for: {not_beyond}." if not_beyond and beyond else "",
        "rule": (
            f"Units were chosen by their correlation on the first half of {len(trace.values):,} characters; the "
            "correlation shown is on the other half, on which they were not chosen. By chance: the largest of all "
            f"{len(trace):,} units on that half, of {SHIFTS} tries with the labels shifted around. "
            "h is a layer's output" + (", c the cell of an LSTM." if trace.has_cells else ".")
        ),
    }


def _unit(trace: Trace, unit: int, correlation: float | None = None) -> dict[str, Any]:
    text = None if correlation is None else _correlation(correlation)
    return {"number": unit, "name": trace.name(unit), "correlation": text}


def _correlation(value: float) -> str:
    """Two digits, such as .83 or −.07."""
    digits = f"{abs(value):.2f}".removeprefix("0")
    return f"−{digits}" if value < -0.005 else digits


def _states(plane: Plane, characters: Sequence[str], read: int) -> dict[str, Any]:
    classes = [class_of(character) for character in characters[: min(MAX_POINTS, read)]]
    path = min(PATH, len(classes))
    rows = []
    for name in CLASSES:
        points = plane.points[: len(classes)][np.array(classes) == name]
        if len(points):
            rows.append((name, f"{len(points):,}", *(f"{mean:.2f}".replace("-", "−") for mean in points.mean(0))))
    return {
        "sentence": (
            f"The output of the top layer after each of the first {len(classes):,} characters, in the plane in which "
            f"it varies most. That holds {100 * plane.share.sum():.0f}% of the variance over {read:,} characters: what "
            f"else the network keeps is not seen here. The line follows the first {path} characters, from the circle "
            "on."
        ),
        "picture": plane_picture(plane, classes, path),
        "rows": rows,
    }


def _gates(gates: Sequence[Saturation], read: int) -> dict[str, Any]:
    is_state = any(saturation.gate == "state" for saturation in gates)
    low, high = (f"below −{OPEN}", f"above {OPEN}") if is_state else ("shut", "open")
    what = (
        f"These cells have no gates; shown are their states, below −{OPEN} or above {OPEN}, where a tanh lets little "
        "gradient through."
        if is_state
        else f"A gate below {SHUT} is called shut (left-saturated), above {OPEN} open (right-saturated)."
    )
    return {
        "sentence": (
            f"{what} Each point is a unit, by the share of {read:,} characters at which it is so; near the origin it "
            f"is seldom either. After Karpathy, Johnson and Li (arXiv 1506.02078, figure 3)."
        ),
        "headers": (
            "layer",
            "gate",
            f"{low}, mean",
            f"{high}, mean",
            f"units nearly always {low}",
            f"nearly always {high}",
        ),
        "pictures": gate_pictures(gates),
        "rows": [
            (
                saturation.layer,
                saturation.gate,
                f"{100 * saturation.left.mean():.0f}%",
                f"{100 * saturation.right.mean():.0f}%",
                f"{int((saturation.left >= ALWAYS).sum()):,}",
                f"{int((saturation.right >= ALWAYS).sum()):,}",
            )
            for saturation in gates
        ],
    }
