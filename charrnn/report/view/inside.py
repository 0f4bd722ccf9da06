"""Parts of the report about the inside of a network: units, states and gates, as charts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from charrnn.report.view.pictures import gate_pictures, plane_picture
from charrnn.scoring.probes.analyze import NetworkAnalysis
from charrnn.scoring.probes.gates import OPEN, SHUT
from charrnn.scoring.probes.states import CLASSES, class_of
from charrnn.scoring.probes.traces import Trace
from charrnn.scoring.probes.units import SHIFTS, UnitMatch

MAX_POINTS = 2000
"""Maximum number of states in the chart."""
PATH = 40
"""Number of characters for which the path of the state is drawn."""
ALWAYS = 0.9
"""Minimum share of the characters for a gate to count as nearly always shut, or open."""


def describe_network(analysis: NetworkAnalysis, characters: Sequence[str], network: str) -> dict[str, Any]:
    """Return the template's variables.

    Args:
        analysis: the measurements.
        characters: the characters shown on the page.
        network: a sentence that names the network, if the model has other parts.
    """
    return {
        "whose": network and f" {network}",
        "units": _units(analysis.trace, analysis.matches),
        "states": _states(analysis, characters),
        "gates": _gates(analysis),
    }


def _units(trace: Trace, matches: Sequence[UnitMatch]) -> dict[str, Any]:
    beyond = [match for match in matches if match.is_beyond_chance]
    not_beyond = ", ".join(match.feature for match in matches if not match.is_beyond_chance)
    sentence = (
        "Some units track a feature of the text, such as the position in the line. Select a unit to color the text "
        "above by its activation."
        if beyond
        else "No unit tracks any of the tested features better than chance."
    )
    if not matches:
        sentence += " The text is too short, or too uniform, to test any feature."
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
        "nothing": f"No unit is better than chance for: {not_beyond}." if not_beyond and beyond else "",
        "rule": (
            f"Each unit was selected by its correlation on the first half of {len(trace.values):,} characters; the "
            "correlations shown (from −1 to 1) are on the other half. The chance level is the largest correlation of "
            f"any of the {len(trace):,} units on that half with the feature shifted along the text, in {SHIFTS} random "
            "shifts. In the names of units, h is a layer's output"
            + (", and c the cell state of an LSTM." if trace.has_cells else ".")
        ),
    }


def _unit(trace: Trace, unit: int, correlation: float | None = None) -> dict[str, Any]:
    text = None if correlation is None else _correlation(correlation)
    return {"number": unit, "name": trace.name(unit), "correlation": text}


def _correlation(value: float) -> str:
    """Format a correlation with two digits, such as .83 or −.07."""
    digits = f"{abs(value):.2f}".removeprefix("0")
    return f"−{digits}" if value < -0.005 else digits


def _signed(value: float) -> str:
    """Format a number with two digits, and 0 without a sign."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _states(analysis: NetworkAnalysis, characters: Sequence[str]) -> dict[str, Any]:
    plane, read = analysis.plane, len(analysis.trace.values)
    attention = [f"layer {layer.layer} h" for layer in analysis.attention]
    noun = "output" if analysis.trace.groups[-1] in attention else "state"  # the state of attention is its window
    classes = [class_of(character) for character in characters[: min(MAX_POINTS, read)]]
    path = min(PATH, len(classes))
    rows = []
    for name in CLASSES:
        points = plane.points[: len(classes)][np.array(classes) == name]
        if len(points):
            rows.append((name, f"{len(points):,}", *(_signed(mean) for mean in points.mean(0))))
    return {
        "noun": noun,
        "sentence": (
            "After each character, the output of the top layer is a vector. Here the vectors are projected onto the "
            "two directions in which they vary most, the first two principal components. These two hold "
            f"{100 * plane.share.sum():.0f}% of the variance over {read:,} characters; the chart cannot show the rest."
        ),
        "caption": (
            f"Each point is the {noun} after one of the first {len(classes):,} characters, colored by the class of "
            f"that character. The line follows the first {path} characters, starting at the circle."
        ),
        "picture": plane_picture(plane, classes, path),
        "rows": rows,
    }


def _gates(analysis: NetworkAnalysis) -> dict[str, Any] | None:
    """Return the variables of the section on gates; None if all layers have attention."""
    gates, read = analysis.gates, len(analysis.trace.values)
    if not gates:
        return None
    kinds = {saturation.gate == "state" for saturation in gates}
    definition = ""
    if False in kinds:
        name, low, high = "gate", "shut", "open"
        definition = f"A gate below {SHUT} is shut (left-saturated), a gate above {OPEN} is open (right-saturated)."
    if True in kinds:
        name, low, high = "state", f"below −{OPEN}", f"above {OPEN}"
        subject = "A vanilla layer" if definition else "This cell"
        definition += (
            f" {subject} has no gates, so the chart shows the states. A state below −{OPEN} or above {OPEN} is "
            "saturated: there, tanh lets little gradient through."
        )
    if len(kinds) > 1:
        name, low, high = "gate or state", f"shut or below −{OPEN}", f"open or above {OPEN}"
    if analysis.attention:
        definition += " Layers with attention have no gates and are not shown."
    return {
        "sentence": f"{definition.strip()} After Karpathy, Johnson and Li (arXiv 1506.02078, figure 3).",
        "caption": (
            f"Each point is a unit. The axes show the share of {read:,} characters at which the unit's {name} is {low} "
            f"(horizontal) and {high} (vertical). A {name} near the origin is rarely saturated."
        ),
        "headers": (
            "layer",
            name,
            f"{low}, mean of all units",
            f"{high}, mean of all units",
            f"units {low} at ≥ {ALWAYS:.0%} of characters",
            f"units {high} at ≥ {ALWAYS:.0%} of characters",
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
