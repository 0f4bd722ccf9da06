"""All that a page shows of the inside of one network, measured on one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.probes.features import features
from charrnn.scoring.probes.gates import Saturation, saturation
from charrnn.scoring.probes.states import Plane, plane
from charrnn.scoring.probes.traces import Trace, trace
from charrnn.scoring.probes.units import UnitMatch, search
from charrnn.text.documents import TextSpan


@dataclass(frozen=True)
class NetworkAnalysis:
    """The inside of a network, on N characters.

    Attributes:
        trace: its states.
        matches: the units that keep track of something, and of what none does.
        plane: of the states of its top layer.
        gates: how often they are saturated.
    """

    trace: Trace
    matches: tuple[UnitMatch, ...]
    plane: Plane
    gates: tuple[Saturation, ...]


def analyze_network(
    network: RecurrentModel,
    text: TextSpan,
    characters: Sequence[str],
    progress: Progress | None = None,
) -> NetworkAnalysis:
    """Measure all of it on a text, (N,), whose `characters` are one `str` each; each of them is read twice."""
    report = progress or (lambda done, total: None)
    states = trace(network, text, lambda done, total: report(done, 2 * total))
    read = len(states.values)
    gates = saturation(network, text[:read], lambda done, total: report(total + done, 2 * total))
    matches = search(states.values, features(characters[:read]))
    return NetworkAnalysis(states, matches, plane(states.values[:, states.top]), gates)
